"""What the layouts of arrays share: a plan of which arrays to read becomes a claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sightlab.data.containers.base import Archive, DataFile
from sightlab.data.containers.folders import Folder
from sightlab.data.containers.junk import is_junk
from sightlab.data.formats.array_classes import ClassWords
from sightlab.data.formats.array_labels import label_count
from sightlab.data.formats.array_plan import Pair, Plan
from sightlab.data.formats.array_sets import ArraySet, read_arrays, runs_down
from sightlab.data.formats.class_lists import ClassNames, may_list_classes
from sightlab.data.formats.file_io import reading
from sightlab.data.formats.idx import digest_of
from sightlab.data.formats.stored import StoredArray
from sightlab.data.inventory import Inventory, inventory_of
from sightlab.data.layouts.claim import STATED, STRUCTURE, Claim, ReadOptions, refused
from sightlab.data.messages import counted, shortened

LONGEST_LINE = 300
MOST_BESIDE = 2000
COLUMNS = "flattened pictures of MATLAB are read column by column; if they lie on their side, save [N, H, W]"
# Kinds of files that hold no data by themselves.
NO_DATA = ("text", "prose", "empty", "picture")


@dataclass(frozen=True, eq=False)
class ArrayForm:
    """What a layout knows of the arrays of its form.

    layout: its name. labels: where labels come from, in a few words; "" for the names of their arrays. known: names of
    the labels, of a set that is known. all_numbers: see `ClassWords`. on_side: see `ArraySet`. strength, notes,
    doubts: see `Claim`. beside: names of files beside a lone file that are read with it. kinds: of the files it reads.
    """

    layout: str
    kinds: tuple[str, ...]
    labels: str = ""
    known: ClassNames = field(default_factory=dict)
    all_numbers: bool = False
    on_side: bool = False
    strength: int = STATED
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def array_claim(inventory: Inventory, options: ReadOptions, plan: Plan, form: ArrayForm) -> Claim:
    """The claim of a layout whose pictures lie in arrays."""
    strength = STRUCTURE if inventory.pictures else form.strength
    refusal = unfit_word(options) or plan.refusal
    if refusal:
        return refused(form.layout, line(inventory.label, refusal), strength)
    folder = folder_of(inventory)
    lists = class_list_files(inventory, folder) if plan.names is None and not form.known else []
    beside = tuple(dict.fromkeys((*form.beside, *((one.name for one in lists) if folder else ()))))
    arrays = array_set(inventory, options, plan, form, lists)
    pairs = [pair for own in plan.splits.values() for pair in own]
    return Claim(
        form.layout,
        lambda allocate, progress: read_arrays(arrays, allocate, progress),
        strength,
        {split: counts(own) for split, own in plan.splits.items()},
        form.labels or labels_text(pairs),
        tuple(form.known.values()),
        unused=left_files(inventory, form.kinds),
        notes=arrays.notes,
        doubts=form.doubts,
        beside=beside,
        identity={
            "arrays": {split: [[p.images.key, p.labels.key] for p in own] for split, own in plan.splits.items()},
            "names": plan.names.key if plan.names else "",
            "form": [sorted(form.known.items()), form.all_numbers, form.on_side],
            "lists": [one.name for one in lists],
            "beside": digests(folder, beside),
        },
    )


def array_set(
    inventory: Inventory, options: ReadOptions, plan: Plan, form: ArrayForm, lists: Sequence[DataFile]
) -> ArraySet:
    """What is to be read, by a plan and the user's words."""
    images = next(iter(plan.splits.values()))[0].images
    words = ClassWords(
        source=inventory.label,
        names=plan.names,
        lists=lists,
        dataset=dataset_of(inventory, images),
        known=form.known,
        all_numbers=form.all_numbers,
        chosen=options.classes,
        renamed=dict(options.names),
    )
    columns = [f"{images.name}: {COLUMNS}"] if runs_down(images) else []
    notes = (*inventory.notes, *form.notes, *columns, *left_arrays(plan.left))
    return ArraySet(plan.splits, words, options.shape, form.on_side, options.decoding, notes)


def unfit_word(options: ReadOptions) -> str:
    """Why a word that the user gives does not apply to arrays; "" where all do."""
    for word, value in (("list", options.list), ("label_from", options.label_from)):
        if value is not None:
            return f"`{word}={value}` is for picture files, and these pictures lie in arrays; leave it out"
    if options.split is not None and not options.split_places:
        return f"`split={options.split}` names no files; arrays take `split=train:FILE,test:FILE`"
    return ""


def counts(pairs: Sequence[Pair]) -> int | None:
    """How many pictures these pairs hold, from the heads of the labels."""
    found = [label_count(pair.labels.shape) for pair in pairs]
    return None if None in found else sum(count or 0 for count in found)


def labels_text(pairs: Sequence[Pair]) -> str:
    """Where the labels come from, in a few words."""
    names = list(dict.fromkeys(pair.labels.name for pair in pairs))
    return counted(names, "array", "arrays") if len(names) > 1 else f"array {shortened(names[0])}"


def left_arrays(arrays: Sequence[StoredArray]) -> tuple[str, ...]:
    """The line on arrays that are not read."""
    return (f"{counted((one.name for one in arrays), 'array', 'arrays')} ignored",) if arrays else ()


def left_files(inventory: Inventory, kinds: Sequence[str]) -> tuple[str, ...]:
    """The lines on files of other kinds that hold data too."""
    notes = [f"{counted(inventory.pictures, 'picture file', 'picture files')} ignored"] if inventory.pictures else []
    others = [name for kind, names in inventory.kinds.items() if kind not in (*NO_DATA, *kinds) for name in names]
    return (*notes, *([f"{counted(others, 'other file', 'other files')} ignored"] if others else ()))


def dataset_of(inventory: Inventory, images: StoredArray) -> str:
    """What a data set is called by the file that holds it: `bloodmnist` of bloodmnist_64.npz."""
    own = images.key.split("/")
    name = own[-2] if len(own) > 1 else Path(inventory.label).stem
    stem, _, number = name.rpartition("_")
    return stem if number.isdecimal() and stem else name


def folder_of(inventory: Inventory) -> Folder | None:
    """The folder that a lone file of arrays lies in, its own files alone; None for other sources."""
    container = inventory.container
    path = None
    if inventory.only is not None:
        path = container.file(inventory.only).path
    elif isinstance(container, Archive) and container.label.casefold().endswith(".npz"):
        path = container.packed.path
    if path is None:
        return None
    sizes: dict[str, int] = {}
    with reading(DataFile.at(path)):
        for one in path.parent.iterdir():
            if one.name != path.name and not is_junk(one.name) and one.is_file():
                sizes[one.name] = one.stat().st_size
            if len(sizes) > MOST_BESIDE:
                return Folder(path.parent, {})
    return Folder(path.parent, sizes)


def class_list_files(inventory: Inventory, folder: Folder | None) -> list[DataFile]:
    """The files that may list class names: of the source, or beside a lone file."""
    if folder is not None:
        possible = {name: size for name, size in folder.sizes.items() if may_list_classes(name)}
        inventory = inventory_of(Folder(folder.root, possible), None)
    return [inventory.file(name) for name in inventory.texts if may_list_classes(name)]


def digests(folder: Folder | None, names: Sequence[str]) -> Mapping[str, str]:
    """The content of the files that are read beside a lone file, as hashes."""
    return {} if folder is None else {name: digest_of(folder.file(name)).hex() for name in names}


def line(label: str, text: str) -> str:
    """One line of a refusal, cut where it is too long."""
    whole = f"{shortened(label, 120)}: {text}"
    return whole if len(whole) <= LONGEST_LINE else f"{whole[: LONGEST_LINE - 3]}..."
