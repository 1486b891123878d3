"""`sightlab data show|import|list`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sightlab.cli.output import JSON_OPTION, as_json, out, plain_name, progress_bar, say, table
from sightlab.errors import DataError, suggestion

if TYPE_CHECKING:
    from sightlab.data.imageset import ImageSet
    from sightlab.data.layouts.claim import Claim
    from sightlab.data.load import Examined
    from sightlab.data.read_options import ReadWords
    from sightlab.data.sources import Found
    from sightlab.data.splits import Sealed, Splits

SHOW_EXAMPLES = """\b
Examples:
  sightlab data show fashion-mini
  sightlab data show photos/ size=64
  sightlab data show HAM10000/ label=dx
  sightlab data show odd-folder/ --explain
  sightlab data show train.csv label=target --json
"""
IMPORT_EXAMPLES = """\b
Examples:
  sightlab data import photos.tar.gz size=64
  sightlab data import kmnist --to npz --out kmnist.npz
"""
LIST_EXAMPLES = """\b
Examples:
  sightlab data list
  SIGHTLAB_DATA=~/datasets sightlab data list --json
"""
app = typer.Typer(help="Inspect, decode and list data sets.", no_args_is_help=True)
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="A name, a path, or either with :variant.")]
Size = Annotated[
    int | None, typer.Option(min=1, help="Resize the shorter side to this many pixels, then crop the centre.")
]
Channels = Annotated[int | None, typer.Option(min=1, help="1 for grey, 3 for colour; default: as in the files.")]
Label = Annotated[str | None, typer.Option(help="Label column of a table.")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="Skip images that cannot be decoded, and count them.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE ...]", help="How SOURCE is read: label=, layout=, classes=, ... (docs/data.md)."
    ),
]


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    source: Source,
    words: Words = None,
    size: Size = None,
    channels: Channels = None,
    label: Label = None,
    skip_broken: SkipBroken = False,
    validation: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="Share of the training split held out for validation.")
    ] = 0.2,
    limit_per_class: Annotated[int | None, typer.Option(min=2, help="Most training images per class.")] = None,
    sheet: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Where to write the contact sheet.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="List every possible reading; decode nothing.")] = False,
    json: bool = JSON_OPTION,
) -> None:
    """Show a data set as training sees it, with a contact sheet.

    Prints how it is read (layout, where classes come from, unused files), its splits, images per class, image shape,
    mean and standard deviation of the training images, and exact duplicates between splits.
    """
    from sightlab.data.load import examined, load_data
    from sightlab.pictures import data_sheet, save_picture

    read = reading_of(words, size=size, channels=channels, label=label, skip_broken=skip_broken)
    examination = examined(source, **read)
    if explain:
        explained(examination, json)
        return
    with progress_bar("reading images") as progress:
        splits = load_data(source, validation=validation, limit_per_class=limit_per_class, progress=progress, **read)
    facts = facts_of(splits, source) | {"reading": reading_facts(examination.decision.chosen)}
    target = outside(sheet, examination.found) if sheet else sheet_path(source, examination.found)
    save_picture(data_sheet(splits.train), target)
    for note in splits.notes:
        say(note)
    if json:
        as_json(facts | {"sheet": str(target)})
    else:
        result(splits, facts, target)


def sheet_path(source: str, found: Found) -> Path:
    """Where the contact sheet goes by default: here, but into the cache where this folder is part of the data."""
    from sightlab.data.contents import cache_folder

    name = f"contact-sheet-{plain_name(source)}.png"
    return cache_folder() / "contact-sheets" / name if is_inside(Path.cwd(), found) else Path(name)


def outside(target: Path, found: Found) -> Path:
    """A file or folder to be written. Raises DataError where it lies inside the data that it is made from."""
    if is_inside(target, found):
        raise DataError(f"{target} lies inside the data of {found.path} and would be read as data; write it elsewhere")
    return target


def is_inside(path: Path, found: Found) -> bool:
    """Whether a path lies in a source's folder."""
    from sightlab.data.description import described

    folder, _, _ = described(found.path, {})
    return folder.is_dir() and path.resolve().is_relative_to(folder.resolve())


def reading_of(words: list[str] | None, **options: Any) -> ReadWords:
    """What the words and the options say of how a source is read. Raises DataError where a key is given twice."""
    from sightlab.recipes.overrides import parse_changes
    from sightlab.recipes.schema import Data

    changes = {key.removeprefix("data."): value for key, value in parse_changes(words or []).items()}
    known = set(Data.model_fields) - {"source", "limit_per_class", "validation", "split_seed"}
    if strange := set(changes) - known:
        raise DataError(f"{min(strange)} is not a key of how data are read; {suggestion(min(strange), known)}")
    given = {key: value for key, value in options.items() if value not in (None, False)}
    if twice := given.keys() & changes.keys():
        raise DataError(f"{min(twice)} is given twice, as KEY=VALUE and as an option; keep one")
    return validated_data(changes | given)


def validated_data(values: dict[str, Any]) -> ReadWords:
    """The words with their types checked as those of a recipe are. Raises RecipeError."""
    from typing import cast

    from sightlab.recipes.loader import validated
    from sightlab.recipes.schema import Recipe

    whole = Recipe().model_dump(mode="python") | {"data": values}
    return cast("ReadWords", validated(whole, "data").data.reading)


def reading_facts(claim: Claim | None) -> dict[str, Any]:
    """How a source is read, for `--json`."""
    if claim is None:
        return {}
    return {"layout": claim.layout, "labels": claim.labels, "unused": list(claim.unused)}


def explained(examination: Examined, json: bool) -> None:
    """Every claim on a source, and the one it is read by. Raises DataError with the refusal where there is none."""
    decision = examination.decision
    if examination.inventory is None:
        out(f"webdataset: {len(examination.found.shards):,} shards, named one by one")
        return
    rows = [claim_row(claim, decision.chosen) for claim in decision.claims]
    if json:
        names = ("layout", "verdict", "splits", "classes", "labels", "because")
        as_json({"claims": [dict(zip(names, row, strict=True)) for row in rows], "refusal": decision.refusal or None})
    elif rows:
        table(["layout", "verdict", "pictures", "classes", "classes from"], [row[:5] for row in rows])
        for row in rows:
            for reason in filter(None, row[5].split("\n")):
                if reason != decision.refusal:
                    out(f"{row[0]}: {reason}")
    decision.claim()


def claim_row(claim: Claim, chosen: Claim | None) -> list[str]:
    """A claim's row: layout, verdict, pictures a split, classes, where they come from, reasons."""
    verdict = "read" if claim is chosen else "refused" if claim.refusal else "doubtful" if claim.doubts else "possible"
    splits = ", ".join(f"{name} {'?' if count is None else f'{count:,}'}" for name, count in claim.splits.items())
    classes = f"{len(claim.classes):,}: {', '.join(claim.classes[:4])}{', ...' if claim.classes[4:] else ''}"
    reasons = [claim.refusal, *claim.doubts, *claim.unused]
    return [
        claim.layout,
        verdict,
        splits,
        classes if claim.classes else "",
        claim.labels,
        "\n".join(filter(None, reasons)),
    ]


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
        "contradicted": splits.contradicted,
        "notes": list(splits.notes),
    }


def result(splits: Splits, facts: dict[str, Any], sheet: Path) -> None:
    """A data set, for a person."""
    height, width, channels = splits.shape
    total = sum(split["count"] for split in facts["splits"].values())
    out(f"{facts['source']}: {total:,} images, {height} x {width} x {channels}, {len(splits.classes)} classes")
    reading = facts["reading"]
    if reading:
        out(f"read as {reading['layout']}, classes from {reading['labels']}")
    for unused in reading.get("unused", ()):
        out(f"unused: {unused}")
    out(f"mean {shown(facts['mean'])}, std {shown(facts['std'])} (training images, values in [0, 1])")
    for pair, count in facts["duplicates"].items():
        first, second = pair.split("/")
        out(f"duplicates: {count:,} {second} images are exactly equal to {first} images")
    if not facts["duplicates"]:
        out("duplicates: no image is in two splits")
    if facts["contradicted"]:
        out(f"contradicted: {facts['contradicted']:,} images are there under two classes, pixel for pixel")
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
    words: Words = None,
    size: Size = None,
    channels: Channels = None,
    label: Label = None,
    skip_broken: SkipBroken = False,
    to: Annotated[Target | None, typer.Option(help="Also convert to csv, idx, npz or parquet.")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="File (npz) or folder to write; needs --to.")] = None,
    json: bool = JSON_OPTION,
) -> None:
    """Decode a data set into the cache; with --to, convert it.

    Splits of the source are kept; nothing is held out.
    """
    from sightlab.data.load import load_parts

    if target is not None and to is None:
        raise DataError(f"--out {target} needs --to csv, idx, npz or parquet")
    read = reading_of(words, size=size, channels=channels, label=label, skip_broken=skip_broken)
    with progress_bar("reading images") as progress:
        loaded = load_parts(source, progress=progress, **read)
    written = None
    if to is not None:
        written = target or Path(plain_name(source).partition(".")[0] + (".npz" if to is Target.npz else f"-{to}"))
        write_parts(loaded.parts.splits, to, outside(written, loaded.found))
    for note in loaded.parts.notes:
        say(note)
    counts = {name: len(images) for name, images in loaded.parts.splits.items()}
    if json:
        as_json({"source": source, "splits": counts, "written": str(written) if written else None, "key": loaded.key})
        return
    where = "indexed; decoded when used" if loaded.lazy else "in the cache"
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
            from sightlab.data.pictures.parquet_images import write_parquet

            write_parquet(splits, target)
        else:
            from sightlab.data.formats.idx import write_idx

            for name, images in splits.items():
                write_idx(images, target, name)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error


@app.command("list", epilog=LIST_EXAMPLES)
def list_(json: bool = JSON_OPTION) -> None:
    """List the data sets known by name: where they are, and their size."""
    from sightlab.data.sources import known_sets

    found = known_sets()
    if json:
        as_json({"sets": found})
        return
    rows = [
        [one["name"], one["path"] or "not found; downloaded on first use", size_shown(one["bytes"]), one["state"]]
        for one in found
    ]
    table(["name", "found in", "size", "state"], rows, right=(2,))


def size_shown(count: int | None) -> str:
    """Bytes as a person says them.

    >>> size_shown(5_255_000), size_shown(None)
    ('5.3 MB', '')
    """
    return "" if count is None else f"{count / 1e6:.1f} MB"
