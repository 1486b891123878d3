"""`sightlab data show|import|list`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.show import JSON_OPTION, as_json, out, plain_name, progress_bar, say, table
from sightlab.errors import DataError

if TYPE_CHECKING:
    from sightlab.data.imageset import ImageSet
    from sightlab.data.splits import Sealed, Splits

SHOW_EXAMPLES = """\b
Examples:
  sightlab data show fashion-mini
  sightlab data show photos/ --size 64
  sightlab data show train.csv --label target --json
"""
IMPORT_EXAMPLES = """\b
Examples:
  sightlab data import photos.tar.gz --size 64
  sightlab data import kmnist --to npz --out kmnist.npz
"""
LIST_EXAMPLES = """\b
Examples:
  sightlab data list
  SIGHTLAB_DATA=~/datasets sightlab data list --json
"""
app = typer.Typer(help="Look at data sets, decode them ahead of time, list the known ones.", no_args_is_help=True)
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="A name, a path, or either with :variant.")]
Size = Annotated[int | None, typer.Option(min=1, help="Shorter side in pixels, then a centre crop.")]
Channels = Annotated[int | None, typer.Option(min=1, help="1 for grey, 3 for colour; default the pictures' own.")]
Label = Annotated[str | None, typer.Option(help="The label column of a table.")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Leave out broken pictures, and count them.")]


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    source: Source,
    size: Size = None,
    channels: Channels = None,
    label: Label = None,
    skip_broken: SkipBroken = False,
    validation: Annotated[float, typer.Option(min=0.001, max=0.999, help="Share of train for validation.")] = 0.2,
    limit_per_class: Annotated[int | None, typer.Option(min=2, help="Training images a class, at most.")] = None,
    sheet: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Where the contact sheet goes.")] = None,
    json: bool = JSON_OPTION,
) -> None:
    """Show a data set as training would see it, and write a contact sheet.

    Splits, images a class, shape, mean and deviation of the training images, exact duplicates between splits.
    """
    from sightlab.data.load import load
    from sightlab.pictures import data_sheet, save_picture

    with progress_bar("reading pictures") as progress:
        splits = load(
            source,
            size=size,
            channels=channels,
            label=label,
            skip_broken=skip_broken,
            validation=validation,
            limit_per_class=limit_per_class,
            progress=progress,
        )
    facts = facts_of(splits, source)
    target = sheet or Path(f"contact-sheet-{plain_name(source)}.png")
    save_picture(data_sheet(splits.train), target)
    for note in splits.notes:
        say(note)
    if json:
        as_json(facts | {"sheet": str(target)})
    else:
        result(splits, facts, target)


def facts_of(splits: Splits, source: str) -> dict[str, Any]:
    """What `data show --json` prints. The test split's pictures stay sealed; its counts do not open it."""
    height, width, channels = splits.shape
    mean, std = splits.train.moments()
    counted: dict[str, ImageSet | Sealed] = {
        "train": splits.train,
        "validation": splits.validation,
        "test": splits.test,
    }
    return {
        "source": source,
        "shape": [height, width, channels],
        "classes": list(splits.classes),
        "splits": {name: {"count": len(s), "per_class": s.counts().tolist()} for name, s in counted.items()},
        "mean": [round(m, 6) for m in mean],
        "std": [round(s, 6) for s in std],
        "duplicates": {f"{a}/{b}": count for (a, b), count in splits.duplicates.items()},
        "notes": list(splits.notes),
    }


def result(splits: Splits, facts: dict[str, Any], sheet: Path) -> None:
    """A data set, for a person."""
    height, width, channels = splits.shape
    total = sum(split["count"] for split in facts["splits"].values())
    out(f"{facts['source']}: {total:,} images, {height} x {width} x {channels}, {len(splits.classes)} classes")
    out(f"mean {shown(facts['mean'])}, std {shown(facts['std'])} (training images, values in [0, 1])")
    for pair, count in facts["duplicates"].items():
        first, second = pair.split("/")
        out(f"duplicates: {count:,} {second} images are exactly equal to {first} images")
    if not facts["duplicates"]:
        out("duplicates: no image is in two splits")
    out("")
    names = ("train", "validation", "test")
    columns = [facts["splits"][name]["per_class"] for name in names]
    rows = [[name, *(f"{column[n]:,}" for column in columns)] for n, name in enumerate(splits.classes)]
    rows.append(["all", *(f"{facts['splits'][name]['count']:,}" for name in names)])
    table(["class", *names], rows, right=(1, 2, 3))
    out(f"\ncontact sheet: {sheet}")


def shown(values: list[float]) -> str:
    """Numbers a channel each."""
    return " ".join(f"{value:.4f}" for value in values)


class Target(StrEnum):
    """The forms `data import` can write."""

    csv = "csv"
    idx = "idx"
    npz = "npz"
    parquet = "parquet"


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_(
    source: Source,
    size: Size = None,
    channels: Channels = None,
    label: Label = None,
    skip_broken: SkipBroken = False,
    to: Annotated[Target | None, typer.Option(help="Also write as csv, idx, npz or parquet.")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="File (npz) or folder to write.")] = None,
    json: bool = JSON_OPTION,
) -> None:
    """Decode a data set into the cache ahead of time; with --to, write it in another form.

    The split the source has is kept; nothing is set aside.
    """
    from sightlab.data.load import load_parts

    if target is not None and to is None:
        raise DataError(f"--out {target} needs --to csv, idx, npz or parquet")
    with progress_bar("reading pictures") as progress:
        loaded = load_parts(
            source, size=size, channels=channels, label=label, skip_broken=skip_broken, progress=progress
        )
    written = None
    if to is not None:
        written = target or Path(plain_name(source).partition(".")[0] + (".npz" if to is Target.npz else f"-{to}"))
        write_parts(loaded.parts.splits, to, written)
    for note in loaded.parts.notes:
        say(note)
    counts = {name: len(images) for name, images in loaded.parts.splits.items()}
    if json:
        as_json({"source": source, "splits": counts, "written": str(written) if written else None, "key": loaded.key})
        return
    where = "indexed; they are decoded when used" if loaded.found.shards else "in the cache"
    out(f"{source}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items()) + f" images {where}")
    if written:
        out(f"written: {written}")


def write_parts(splits: Any, to: Target, target: Path) -> None:
    """Write every split in the form asked for. Raises DataError where the disk does not let it."""
    try:
        if to is Target.npz:
            from sightlab.data.formats.arrays import write_npz

            write_npz(splits, target)
        elif to is Target.csv:
            from sightlab.data.formats.csv import write_csv

            for name, images in splits.items():
                write_csv(images, target / f"{name}.csv")
        elif to is Target.parquet:
            from sightlab.data.pictures.parquet import write_parquet

            write_parquet(splits, target)
        else:
            from sightlab.data.formats.idx import write_idx

            for name, images in splits.items():
                write_idx(images, target, name)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error


@app.command("list", epilog=LIST_EXAMPLES)
def list_(json: bool = JSON_OPTION) -> None:
    """List the data sets known by name, where each was found, and its size on disk."""
    from sightlab.data.sources import known_sets

    found = known_sets()
    if json:
        as_json({"sets": found})
        return
    rows = [
        [one["name"], one["path"] or "not here; downloaded when used", size_shown(one["bytes"]), one["state"]]
        for one in found
    ]
    table(["name", "found in", "size", "state"], rows, right=(2,))


def size_shown(count: int | None) -> str:
    """Bytes as a person says them.

    >>> size_shown(5_255_000), size_shown(None)
    ('5.3 MB', '')
    """
    return "" if count is None else f"{count / 1e6:.1f} MB"
