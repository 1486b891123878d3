"""Layout: image and label arrays in numpy, MATLAB and HDF5 files, recognised by names and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sightlab.data.containers.folders import Folder
from sightlab.data.formats.array_names import LABELS, NAMES, array_name, words_of
from sightlab.data.formats.array_plan import Plan, listed, plan_of
from sightlab.data.formats.npy import npy_arrays, npz_arrays, without_suffix
from sightlab.data.formats.stored import StoredArray
from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory, inventory_of
from sightlab.data.layouts.array_claim import ArrayForm, array_claim, folder_of, line
from sightlab.data.layouts.claim import POSSIBLE, STATED, Claim, Layout, ReadOptions, refused
from sightlab.data.layouts.emnist import emnist_form
from sightlab.data.layouts.label_columns import column_of_labels, may_hold_labels
from sightlab.data.layouts.split_words import WORDS
from sightlab.errors import DataError

NAME = "arrays"
KINDS = ("npy", "npz", "mat", "h5")
SUFFIXES = (".npy", ".npz", ".mat", ".h5", ".hdf5")
MOST_FILES = 2000
MOST_BESIDE_PICTURES = 50
EXPECTED = "expected arrays called images and labels, or x_train, y_train, x_test, y_test"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """See `Layout`."""
    files = [name for kind in KINDS for name in inventory.kinds.get(kind, ())]
    if not files or len(files) > (MOST_BESIDE_PICTURES if inventory.pictures else MOST_FILES):
        return None
    beside: tuple[str, ...] = ()
    try:
        folder = folder_of(inventory)
        arrays = with_columns(arrays_in(inventory), inventory, options.label)
        plan = planned(arrays, options)
        if folder is not None and (plan is None or plan.unlabelled is not None):
            plan, beside = with_files_beside(inventory, arrays, folder, options, plan)
    except DataError as error:
        return refused(NAME, str(error), POSSIBLE if inventory.pictures else STATED)
    if plan is None:
        return refused(NAME, line(inventory.label, f"{EXPECTED}; found {listed(arrays)}"), POSSIBLE)
    form = ArrayForm(NAME, KINDS, beside=beside)
    if inventory.kinds.get("mat"):
        form = emnist_form(inventory, plan, form)
    return array_claim(inventory, options, plan, form)


def arrays_in(inventory: Inventory) -> list[StoredArray]:
    """Every array of a source, its head read. The keys of a lone file's arrays leave the file's own name out.

    Raises DataError for a file that is broken.
    """
    found = npy_arrays(inventory.container, inventory.kinds.get("npy", ()))
    for name in inventory.kinds.get("npz", ()):
        found += npz_arrays(inventory.file(name))
    for name in (*inventory.kinds.get("mat", ()), *inventory.kinds.get("h5", ())):
        found += other_arrays(inventory, name)
    if inventory.only is None or inventory.kinds.get("npy"):
        return found
    stem = f"{without_suffix(inventory.only)}/"
    return [replace(one, key=one.key.removeprefix(stem), name=one.key.removeprefix(stem)) for one in found]


def other_arrays(inventory: Inventory, name: str) -> list[StoredArray]:
    """The arrays of a .mat or HDF5 file."""
    from sightlab.data.formats.hdf5 import hdf5_arrays
    from sightlab.data.formats.mat import HDF5_HEAD, mat_arrays

    file = inventory.file(name)
    is_mat = name in inventory.kinds.get("mat", ()) and file.head(len(HDF5_HEAD)) != HDF5_HEAD
    return mat_arrays(file) if is_mat else hdf5_arrays(file)


def with_columns(arrays: Sequence[StoredArray], inventory: Inventory, label: str | None) -> list[StoredArray]:
    """The arrays with the labels that stand in texts, where no array holds any."""
    if any(array_name(one.key).role == LABELS for one in arrays):
        return list(arrays)
    columns = [column_of_labels(inventory.file(name), label) for name in inventory.texts if may_hold_labels(name)]
    return [*arrays, *(one for one in columns if one is not None)]


def planned(arrays: Sequence[StoredArray], options: ReadOptions) -> Plan | None:
    """Which arrays to read, by the user's words."""
    if not options.split_places:
        return plan_of(arrays, options.label, options.config)
    own = placed(arrays, options)
    return Plan(refusal=own) if isinstance(own, str) else plan_of(own, options.label, options.config)


def placed(arrays: Sequence[StoredArray], options: ReadOptions) -> list[StoredArray] | str:
    """The arrays of the files and folders that `split=train:FILE,...` names, their keys under that split's name; or
    what is wrong with it.
    """
    found: list[StoredArray] = []
    for split, place in options.split_places.items():
        starts = (f"{place}/", f"{without_suffix(place)}/")
        own = [one for one in arrays if f"{one.key}/".startswith(starts)]
        if not own:
            return f"`split={options.split}` names {place}, where no array lies"
        found += [replace(one, key=f"{split}/{without_splits(one.key)}") for one in own]
    return found


def without_splits(key: str) -> str:
    """An array's key without the words in it that are splits, so that those the user says count.

    >>> without_splits("test/x_train")
    '/x'
    """
    return "/".join("_".join(word for word in words_of(part) if word not in WORDS) for part in key.split("/"))


def with_files_beside(
    inventory: Inventory, arrays: Sequence[StoredArray], folder: Folder, options: ReadOptions, alone: Plan | None
) -> tuple[Plan | None, tuple[str, ...]]:
    """The plan of a lone file whose labels lie in a file beside it, as the one undivided split, and the names of the
    files beside that it reads. alone: the plan without them, given back where none of them has its labels.
    """
    names = [name for name in folder.sizes if is_labels_file(name) or may_hold_labels(name)]
    around = inventory_of(Folder(folder.root, {name: folder.sizes[name] for name in names}), None)
    labels = with_columns(arrays_in(around), around, options.label)
    if inventory.kinds.get("npy") and inventory.only:
        own = list(arrays)
    else:
        stem = without_suffix(inventory.label.replace("\\", "/").rpartition("/")[2])
        own = [replace(one, key=f"{stem}/{one.key}") for one in arrays]
    plan = plan_of([*own, *labels], options.label)
    if plan is None or plan.refusal:
        return alone or plan, ()
    mine = {id(one) for one in own}
    pairs = [pair for split in plan.splits.values() for pair in split if id(pair.images) in mine]
    read = [*(pair.labels for pair in pairs), *([plan.names] if plan.names else [])]
    used = {one.name.partition(" (")[0] for one in read}
    left = [one for one in plan.left if id(one) in mine]
    return replace(plan, splits={UNDIVIDED: pairs}, left=left), tuple(name for name in names if name in used)


def is_labels_file(name: str) -> bool:
    """Whether a file holds labels or class names by its name, and is one of arrays.

    >>> is_labels_file("kmnist-train-labels.npz"), is_labels_file("labels.txt"), is_labels_file("y.npy")
    (True, False, True)
    """
    return name.casefold().removesuffix(".gz").endswith(SUFFIXES) and array_name(without_suffix(name)).role in (
        LABELS,
        NAMES,
    )


LAYOUT = Layout(
    NAME,
    "arrays of images and labels in npz, npy, .mat or HDF5 files",
    """\
data.npz: x_train, y_train, x_test, y_test
kmnist/
  kmnist-train-imgs.npz
  kmnist-train-labels.npz
  kmnist-test-imgs.npz
  kmnist-test-labels.npz""",
    matches,
)
