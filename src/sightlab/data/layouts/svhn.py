"""Layout: SVHN's cropped digits, train_32x32.mat and its like, in which label 10 is digit 0."""

from __future__ import annotations

import re

from sightlab.data.formats.array_plan import Pair, Plan
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import ArrayForm, array_claim
from sightlab.data.layouts.array_files import other_arrays
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, refused
from sightlab.errors import DataError

NAME = "svhn"
FILE = re.compile(r"(?:.*/)?(train|test|extra)_32x32\.mat", re.IGNORECASE)
DIGITS = {10: "0"} | {digit: str(digit) for digit in range(1, 10)}
NOTE = "SVHN: label 10 is the digit 0"
EXTRA = "extra_32x32.mat holds easier training pictures: ignored (alone it can be read)"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """See `Layout`."""
    files = {match[1].casefold(): name for name in inventory.kinds.get("mat", ()) if (match := FILE.fullmatch(name))}
    if not files or inventory.pictures:
        return None
    try:
        pairs = {split: pair_of(inventory, name) for split, name in files.items()}
    except DataError as error:
        return refused(NAME, str(error), KNOWN)
    found = {split: pair for split, pair in pairs.items() if pair is not None}
    if len(found) < len(files):
        return None
    if options.label or options.shape or options.split:
        word = next(word for word in ("label", "shape", "split") if getattr(options, word))
        return refused(NAME, f"{inventory.label}: is SVHN, which takes no `{word}=`; leave it out", KNOWN)
    splits = {split: [found[split]] for split in SPLITS if split in found} or {UNDIVIDED: [found["extra"]]}
    if inventory.only is not None:
        splits = {UNDIVIDED: list(found.values())}
    notes = (NOTE, EXTRA) if "extra" in found and len(found) > 1 else (NOTE,)
    form = ArrayForm(NAME, ("mat",), labels="y of its files", known=DIGITS, strength=KNOWN, notes=notes)
    return array_claim(inventory, options, Plan(splits), form)


def pair_of(inventory: Inventory, name: str) -> Pair | None:
    """X [32, 32, 3, N] and y [N, 1] of a file; None where it holds others. Raises DataError for a broken file."""
    found: dict[str, StoredArray] = {one.key.rpartition("/")[2]: one for one in other_arrays(inventory, name)}
    if not {"X", "y"} <= set(found):
        return None
    images, labels = found["X"], found["y"]
    fits = (
        images.shape[:3] == (32, 32, 3)
        and len(images.shape) == 4
        and labels.shape in ((images.shape[3], 1), images.shape[3:])
    )
    return Pair(images, labels) if fits else None


LAYOUT = Layout(
    NAME,
    "SVHN's cropped digits",
    """\
train_32x32.mat: X [32, 32, 3, N], y [N, 1] from 1 to 10
test_32x32.mat""",
    matches,
)
