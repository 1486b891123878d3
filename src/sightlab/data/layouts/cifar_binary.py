"""Layout: CIFAR-10 and CIFAR-100 in their binary version, as a folder or the official archive."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from sightlab.data.formats.array_plan import Pair, Plan
from sightlab.data.formats.cifar import VERSIONS, Records, Version
from sightlab.data.imageset import UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.array_claim import ArrayForm, array_claim, line
from sightlab.data.layouts.claim import KNOWN, Claim, Layout, ReadOptions, refused
from sightlab.data.messages import counted
from sightlab.errors import DataError

NAME = "cifar-binary"
Files = dict[str, str]


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """See `Layout`."""
    found = sets_in(inventory)
    if not found:
        return None
    if len(found) > 1:
        words = " or ".join(f"`config={folder or version.folder}`" for folder, version, _ in found[:3])
        return refused(NAME, line(inventory.label, f"holds {len(found)} sets of CIFAR; say which: {words}"), KNOWN)
    folder, version, files = found[0]
    place = label_place(version, options.label)
    unfit = next((word for word in ("config", "shape", "split") if getattr(options, word)), None)
    if place is None or unfit:
        words = " or ".join(f"`label={name}`" for name in version.labels)
        wrong = (
            f"`label={options.label}` is none of its labels; say {words}" if place is None else f"takes no `{unfit}=`"
        )
        return refused(NAME, line(inventory.label, f"is CIFAR, which {wrong}" if unfit else wrong), KNOWN)
    try:
        plan = plan_of_files(inventory, version, files, place)
    except DataError as error:
        return refused(NAME, str(error), KNOWN)
    classes = list(version.labels.values())[place]
    form = ArrayForm(
        NAME,
        ("other",),
        labels="the records of CIFAR's files",
        known=dict(enumerate(classes)),
        strength=KNOWN,
        notes=missing(inventory, version, files),
    )
    claim = array_claim(inventory, replace(options, label=None), plan, form)
    return replace(claim, identity={**claim.identity, "folder": folder, "label": place})


def sets_in(inventory: Inventory) -> list[tuple[str, Version, Files]]:
    """(folder, version, path by name) of each set that lies in the source, told by the names and sizes of its files."""
    folders: dict[str, Files] = defaultdict(dict)
    for kind in ("other", "text", "empty", "idx"):
        for name in inventory.kinds.get(kind, ()):
            folder, _, own = name.rpartition("/")
            folders[folder][own.casefold()] = name
    found = []
    for folder, files in folders.items():
        for version in VERSIONS:
            mine = {n: files[n] for own in version.files.values() for n in own if n in files}
            if mine and are_records(inventory, version, mine):
                found.append((folder, version, mine))
    return found


def are_records(inventory: Inventory, version: Version, files: Files) -> bool:
    """Whether these are CIFAR's files: as many as a split has at least, and one of them begins with a record."""
    sizes = inventory.container.sizes
    whole = [name for name in files.values() if sizes[name] and sizes[name] % version.record == 0]
    if not whole or (len(version.labels) > 1 and len(whole) < len(files)):
        return False
    for _, head in inventory.container.stream(whole[:1], len(version.labels)):
        return all(byte < len(classes) for byte, classes in zip(head, version.labels.values(), strict=True))
    return False


def label_place(version: Version, label: str | None) -> int | None:
    """Which label byte is to be read; None for a name that none of them has."""
    names = list(version.labels)
    return len(names) - 1 if label is None else names.index(label) if label in names else None


def plan_of_files(inventory: Inventory, version: Version, files: Files, place: int) -> Plan:
    """The pairs of each split; a lone file is the undivided one. Raises DataError for a file cut short."""
    records = Records(inventory.container, list(files.values()), version)
    splits = {
        split: [Pair(records.images(files[n]), records.labels(files[n], place)) for n in names if n in files]
        for split, names in version.files.items()
    }
    if inventory.only is not None:
        splits = {UNDIVIDED: [pair for own in splits.values() for pair in own]}
    return Plan({split: own for split, own in splits.items() if own})


def missing(inventory: Inventory, version: Version, files: Files) -> tuple[str, ...]:
    """The line on official files that are not there."""
    gone = [name for own in version.files.values() for name in own if name not in files]
    if not gone or inventory.only is not None:
        return ()
    return (f"{version.folder} lacks {counted(gone, 'file', 'files')}",)


LAYOUT = Layout(
    NAME,
    "CIFAR-10 or CIFAR-100 in its binary version",
    """\
cifar-10-binary.tar.gz or cifar-10-batches-bin/
  data_batch_1.bin ... data_batch_5.bin
  test_batch.bin""",
    matches,
)
