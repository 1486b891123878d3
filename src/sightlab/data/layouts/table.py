"""LAYOUTS: every form that is known, one line each. A new form is a new file beside this one, and a line here."""

from __future__ import annotations

from sightlab.data.layouts import class_first, class_folders, split_folders
from sightlab.data.layouts.claim import Layout

LAYOUTS: tuple[Layout, ...] = (
    class_folders.LAYOUT,
    split_folders.LAYOUT,
    class_first.LAYOUT,
)
