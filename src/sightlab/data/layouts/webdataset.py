"""Layout: WebDataset shards, one tar or a folder of them, streamed during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sightlab.data.containers.base import DataFile
from sightlab.data.containers.folders import Folder
from sightlab.data.containers.tars import Tar
from sightlab.data.contents import content_key
from sightlab.data.imageset import Allocate, Parts, Progress
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, Read, ReadOptions, refused
from sightlab.data.layouts.configs import check_not_empty, chosen_splits
from sightlab.data.webshards.first import FirstSample, first_sample
from sightlab.errors import DataError

NAME = "webdataset"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The labelled pictures of shards, in the order they are stored."""
    files = shard_files(inventory)
    sample = first_sample(next(iter(files.values()))) if files else None
    if sample is None or options.list or options.label_from or options.shape:
        return None
    first = next(iter(files.values()))
    if any(file.path is None for file in files.values()):
        return refused(NAME, f"{first}: is a shard within an archive; unpack the archive and give the folder of shards")
    if not sample.label and not options.label:
        members = ", ".join(f".{extension}" for extension in sample.members)
        return refused(
            NAME,
            f"{first}: its samples ({members}) have no label; captions are no labels; `label=KEY` names a key of .json "
            "or an extension that holds the class",
        )
    try:
        check_not_empty(inventory, (".tar", ".tgz", ".tar.gz"))
        _, splits, notes = chosen_splits(inventory, options, list(files))
    except DataError as error:
        return refused(NAME, str(error))
    return shard_claim(inventory, options, files, splits, notes, sample)


def shard_files(inventory: Inventory) -> dict[str, DataFile]:
    """The tars that may be shards, by their names in the source: all of its archives, or the tar it is itself."""
    container = inventory.container
    if isinstance(container, Tar):
        return {container.packed.name: container.packed}
    names = inventory.kinds.get("archive", ())
    return {} if any(".zip" in name.casefold() for name in names) else {name: inventory.file(name) for name in names}


def shard_claim(
    inventory: Inventory,
    options: ReadOptions,
    files: Mapping[str, DataFile],
    splits: Mapping[str, Sequence[str]],
    notes: Sequence[str],
    sample: FirstSample,
) -> Claim:
    """The claim for these shards, by split."""
    names = [name for own in splits.values() for name in own]
    shards = [path for name in names if (path := files[name].path) is not None]
    members = {split: [names.index(name) for name in own] for split, own in splits.items()}
    all_notes = (*inventory.notes, *notes)
    return Claim(
        NAME,
        reader(inventory, options, shards, members, all_notes),
        KNOWN,
        dict.fromkeys(splits),
        f"{options.label or sample.label} of the samples",
        notes=all_notes,
        lazy=True,
        identity={"shards": {split: list(own) for split, own in splits.items()}},
    )


def reader(
    inventory: Inventory,
    options: ReadOptions,
    shards: Sequence[Path],
    members: Mapping[str, Sequence[int]],
    notes: tuple[str, ...],
) -> Read:
    """What reads these shards: an index of them is made and kept, pictures are decoded when they are used."""
    container = inventory.container
    source = container.root if isinstance(container, Folder) else shards[0]

    def read(allocate: Allocate, progress: Progress | None) -> Parts:  # noqa: ARG001 - nothing is copied
        from sightlab.data.webshards.read_shards import read_shards

        names = [shard.relative_to(source).as_posix() for shard in shards] if source != shards[0] else []
        key = content_key([source], {"decoding": repr(options.decoding), "label": options.label, "shards": names})
        parts = read_shards(
            shards,
            key,
            options.decoding,
            options.label,
            progress,
            members=members,
            names=dict(options.names),
            only=options.classes,
        )
        return checked(replace(parts, notes=(*notes, *parts.notes)), options, inventory.label)

    return read


def checked(parts: Parts, options: ReadOptions, label: str) -> Parts:
    """The parts. Raises DataError for one class alone, and for a class that the training split lacks."""
    if len(parts.classes) < 2 and not options.one_class:
        raise DataError(f"{label}: all labels are `{''.join(parts.classes)}`; a classifier needs at least two classes")
    known: set[int] = set(parts.splits["train"].labels.tolist()) if "train" in parts.splits else set()
    for split, images in parts.splits.items():
        new = sorted(set(images.labels.tolist()) - known) if known else []
        if new:
            raise DataError(
                f"{label}: class `{parts.classes[new[0]]}` of the {split} split has no picture in train; "
                "every class needs training pictures (`classes=...` names the classes to read)"
            )
    return parts


LAYOUT = Layout(
    NAME,
    "WebDataset shards: tars of pictures, each beside its label",
    """
    pets/
      train-0000.tar   0001.jpg  0001.cls  0002.jpg  0002.cls  ...
      train-0001.tar
      test-0000.tar
    """,
    matches,
)
