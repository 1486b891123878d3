"""EMNIST: which of its six sets the files are, their class names, and that pictures are stored transposed."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace

from sightlab.data.formats.array_names import array_name
from sightlab.data.formats.array_plan import Plan
from sightlab.data.formats.class_lists import ClassNames
from sightlab.data.formats.file_io import opened
from sightlab.data.formats.npy import without_suffix
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import ArrayForm
from sightlab.data.layouts.claim import KNOWN

# Cohen et al. 2017. Of letters that look the same in both cases, `balanced` and `bymerge` have the capital alone.
MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
SETS: Mapping[str, ClassNames] = {
    "letters": dict(enumerate(string.ascii_uppercase, 1)),
    "digits": dict(enumerate(string.digits)),
    "mnist": dict(enumerate(string.digits)),
    "byclass": dict(enumerate(string.digits + string.ascii_uppercase + string.ascii_lowercase)),
    "bymerge": dict(enumerate(MERGED)),
    "balanced": dict(enumerate(MERGED)),
}
NOTE = "EMNIST is stored transposed; its pictures are turned upright"


def emnist_form(inventory: Inventory, plan: Plan, form: ArrayForm) -> ArrayForm:
    """The form with what is known of EMNIST, where the names of all arrays say that they are of one of its sets.

    That their labels are in this set's range is checked as they are read.
    """
    lone = f"{without_suffix(inventory.only)}/" if inventory.only else ""
    keys = [f"{lone}{pair.images.key}" for own in plan.splits.values() for pair in own]
    subset = subset_of(keys)
    if subset is None:
        return form
    mapping = next((name for name in inventory.texts if is_mapping(name, subset)), None)
    known = (names_of(inventory, mapping) if mapping else {}) or SETS[subset]
    beside = tuple(name for name in form.beside if name == mapping or "mapping" not in name)
    return replace(
        form, known=known, on_side=True, strength=KNOWN, notes=(NOTE, *form.notes), beside=beside, all_numbers=False
    )


def subset_of(keys: list[str]) -> str | None:
    """The set of EMNIST that all these arrays are of by their names; None for others.

    >>> subset_of(["emnist-letters-train-images"]), subset_of(["train-images"]), subset_of(["EMNIST/raw/x"])
    ('letters', None, None)
    """
    words = [set(array_name(key).rest) for key in keys]
    found = {subset for own in words for subset in SETS if subset in own}
    return found.pop() if words and all("emnist" in own for own in words) and len(found) == 1 else None


def is_mapping(name: str, subset: str) -> bool:
    """Whether a text is the mapping of this set: emnist-letters-mapping.txt."""
    own = name.rpartition("/")[2].casefold()
    return "mapping" in own and subset in own


def names_of(inventory: Inventory, name: str) -> ClassNames:
    """The character of each label in a mapping of lines `label code`, or `label code code`; {} where it is no such."""
    with opened(inventory.file(name)) as (stream, _):
        lines = stream.read(1 << 16).decode("ascii", "replace").split("\n")
    found: dict[int, str] = {}
    for line in lines:
        numbers = line.split()
        if numbers and not (len(numbers) > 1 and all(one.isdecimal() and len(one) < 5 for one in numbers)):
            return {}
        if numbers:
            found[int(numbers[0])] = chr(int(numbers[1]))
    return dict(sorted(found.items()))
