"""Layout: idx files, as of MNIST, Fashion-MNIST, KMNIST and EMNIST, and as torchvision stores them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sightlab.data.containers.folders import Folder
from sightlab.data.formats.array_names import IMAGES, LABELS, array_name
from sightlab.data.formats.array_plan import plan_of
from sightlab.data.formats.idx import idx_array, same_content
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory, inventory_of
from sightlab.data.layouts.array_claim import ArrayForm, array_claim, folder_of, line
from sightlab.data.layouts.claim import STATED, Claim, Layout, ReadOptions, refused
from sightlab.data.layouts.emnist import emnist_form
from sightlab.errors import DataError

NAME = "idx"
KINDS = ("idx",)
MOST_FILES = 500


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """See `Layout`."""
    names = inventory.kinds.get("idx", ())
    if not names or len(names) > MOST_FILES:
        return None
    try:
        folder = folder_of(inventory)
        around, beside = (inventory, ()) if folder is None else with_labels_beside(inventory, folder)
        own = without_copies(around)
        if isinstance(own, str):
            return refused(NAME, line(inventory.label, own))
        plan = plan_of(own, options.label, options.config)
    except DataError as error:
        return refused(NAME, str(error))
    if plan is None:
        return refused(NAME, line(inventory.label, f"idx files, and no images among them ({shapes(own)})"))
    if plan.unlabelled is not None:
        return refused(NAME, missing_labels(plan.unlabelled))
    if folder is not None and not plan.refusal:
        plan = replace(plan, splits={UNDIVIDED: [pair for pairs in plan.splits.values() for pair in pairs]}, left=())
    form = ArrayForm(NAME, KINDS, all_numbers=True, strength=STATED, beside=beside)
    return array_claim(inventory, options, plan, emnist_form(around, plan, form))


def with_labels_beside(inventory: Inventory, folder: Folder) -> tuple[Inventory, tuple[str, ...]]:
    """A lone images file with the labels that go with it by their names, and the texts beside it."""
    own = array_name(key_of(inventory.only or ""))
    files = inventory_of(
        Folder(folder.root, {n: size for n, size in folder.sizes.items() if looks_idx(n) or is_text(n)}), None
    )
    fitting = []
    for name in files.kinds.get("idx", ()):
        other = array_name(key_of(name))
        if other.role == LABELS and (other.split, other.rest, other.numbers) == (own.split, own.rest, own.numbers):
            fitting.append(name)
    sizes = {name: folder.sizes[name] for name in (*fitting, *files.texts)} | dict(inventory.container.sizes)
    around = replace(inventory_of(Folder(folder.root, sizes), None), label=inventory.label, only=inventory.only)
    return around, (*fitting, *(name for name in files.texts if "mapping" in name))


def looks_idx(name: str) -> bool:
    """Whether a file may be an idx file of labels by its name."""
    return array_name(key_of(name)).role == LABELS


def is_text(name: str) -> bool:
    """Whether a file may be a mapping of labels."""
    return name.casefold().endswith(".txt")


def key_of(name: str) -> str:
    """An idx file's path without what its suffix says.

    >>> key_of("raw/train-images-idx3-ubyte.gz"), key_of("t10k-labels.idx1-ubyte")
    ('raw/train-images', 't10k-labels')
    """
    return re.sub(r"[-_.]idx[1-4](-ubyte)?$", "", re.sub(r"\.gz$", "", name, flags=re.IGNORECASE), flags=re.IGNORECASE)


def without_copies(inventory: Inventory) -> list[StoredArray] | str:
    """The arrays of the idx files; of a file that is there twice, as plain and as gzip, or in a folder of its own name,
    the plain one. Gives what is wrong where two such files hold different bytes.
    """
    same: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for name in inventory.kinds["idx"]:
        found = array_name(key_of(name))
        same[found.split, found.role, found.rest, found.numbers].append(name)
    kept: list[StoredArray] = []
    for names in same.values():
        names.sort(key=lambda name: (name.casefold().endswith(".gz"), name.count("/"), len(name)))
        for name in names:
            first = inventory.file(names[0])
            if name != names[0] and not same_content(first, inventory.file(name)):
                return f"{names[0]} and {name} hold different bytes; remove the one that is not meant"
        array = idx_array(inventory.file(names[0]))
        kept.append(replace(array, key=key_of(array.key)))
    return kept


def missing_labels(images: StoredArray) -> str:
    """The line for images without labels: which file was looked for."""
    name = images.name.rpartition("/")[2].removesuffix(".gz")
    if array_name(key_of(name)).role != IMAGES:
        return f"{images.shown}: its labels file cannot be told: an images file has `images` in its name"
    base = re.sub(r"idx[234]", "idx1", re.sub("images|imgs|image", "labels", name))
    return f"{images.shown}: its labels are missing: no {base} or {base}.gz beside it"


def shapes(arrays: Sequence[StoredArray]) -> str:
    """The first arrays and their shapes."""
    return ", ".join(f"{one.name} {list(one.shape)}" for one in arrays[:3])


LAYOUT = Layout(
    NAME,
    "idx files, as of MNIST",
    """\
mnist/ or data/MNIST/raw/
  train-images-idx3-ubyte.gz
  train-labels-idx1-ubyte.gz
  t10k-images-idx3-ubyte.gz
  t10k-labels-idx1-ubyte.gz""",
    matches,
)
