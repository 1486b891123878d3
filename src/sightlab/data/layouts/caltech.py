"""Layout: Caltech-101 and Caltech-256, class folders of which one holds background pictures."""

from __future__ import annotations

from dataclasses import replace

from sightlab.data.imageset import Allocate, Parts, Progress
from sightlab.data.inventory import Inventory
from sightlab.data.layouts import class_folders
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, applies
from sightlab.data.layouts.known_files import known_form
from sightlab.data.layouts.tree import Tree

NAME = "caltech"
FORMS = {"BACKGROUND_Google": ("Faces", "accordion", "airplanes"), "257.clutter": ("001.ak47", "002.american-flag")}


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The class folders, with a word on the one that is no class."""
    if not applies(inventory, options, NAME):
        return None
    tree = Tree(inventory)
    names = set(tree.inner_names(tree.top))
    background = [name for name, others in FORMS.items() if name in names and set(others) & names]
    claim = class_folders.matches(inventory, replace(options, layout=class_folders.NAME)) if background else None
    if claim is None or claim.refusal or (options.classes and background[0] not in options.classes):
        return None
    note = f"`{background[0]}` holds pictures of no class, and is read as one; `ignore={background[0]}` ignores it"
    return with_note(replace(claim, layout=NAME, strength=KNOWN), note)


def with_note(claim: Claim, note: str) -> Claim:
    """The claim with one more note, which its reading gives too."""

    def read(allocate: Allocate, progress: Progress | None) -> Parts:
        parts = claim.read(allocate, progress)
        return replace(parts, notes=(*parts.notes, note))

    return replace(claim, notes=(*claim.notes, note), read=read)


LAYOUT = Layout(
    NAME,
    "Caltech-101 or Caltech-256",
    """
    caltech-101/101_ObjectCategories/
      BACKGROUND_Google/image_0001.jpg  Faces/image_0001.jpg  accordion/image_0001.jpg
    """,
    known_form(NAME, matches),
)
