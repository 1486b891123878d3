"""Split and configuration of each file of a source, by file names or by the user's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sightlab.data.imageset import SPLITS, UNDIVIDED
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import ReadOptions, word
from sightlab.data.layouts.split_files import SHARD, SUFFIXES, Grouping, grouped, incomplete
from sightlab.data.messages import shortened
from sightlab.errors import DataError

Splits = Mapping[str, Sequence[str]]


def chosen_splits(
    inventory: Inventory,
    options: ReadOptions,
    names: Sequence[str],
    grouping: Grouping | None = None,
    preferred: str = "",
) -> tuple[str, Splits, tuple[str, ...]]:
    """(configuration, its files by split, notes).

    grouping: of the files, where more than their names says it. preferred: the configuration that is read where none
    is asked for. Raises DataError where several configurations could be meant, a shard is missing, or a file says no
    split while others do.
    """
    if options.split_places:
        return "", placed(inventory, options, names), ()
    if inventory.only:
        (splits,) = grouped(names).configs.values()
        return "", splits, part_note(inventory.only)
    grouping = grouping or grouped(names)
    config, notes = chosen_config(inventory, options, grouping, preferred)
    splits = grouping.configs[config]
    if fault := incomplete([name for own in splits.values() for name in own]):
        name, _, why = fault.partition(": ")
        raise DataError(f"{inventory.shown(name)}: {why}")
    if UNDIVIDED in splits and len(splits) > 1:
        odd = splits[UNDIVIDED][0]
        raise DataError(
            f"{inventory.shown(odd)}: its name says no split, while others do; rename it, as in "
            f"train-{odd.rpartition('/')[2]}, or {word('ignore', odd)} ignores it"
        )
    return config, splits, notes


def check_not_empty(inventory: Inventory, suffixes: tuple[str, ...]) -> None:
    """Raises DataError where a file with one of these suffixes has no bytes: a download that failed, not a note."""
    for name in inventory.kinds.get("empty", ()):
        if name.casefold().endswith(suffixes):
            raise DataError(f"{inventory.shown(name)}: is empty; fetch it again, or {word('ignore', name)} ignores it")


def chosen_config(
    inventory: Inventory, options: ReadOptions, grouping: Grouping, preferred: str
) -> tuple[str, tuple[str, ...]]:
    """The configuration that is read, and notes on the others. Raises DataError where none is clear."""
    known = list(grouping.configs)
    label = shortened(inventory.label, 120)
    if options.config is not None:
        found = grouping.named(options.config)
        if found is None:
            raise DataError(
                f"{label}: there is no configuration {options.config[:40]!r}; "
                f"found {shortened(', '.join(known[:8]), 100)}"
            )
        return found, ()
    if len(known) == 1:
        return known[0], ()
    if preferred in known:
        other = next(name for name in known if name != preferred)
        return preferred, (
            f"configuration `{preferred}` is read, README.md's default; {word('config', other)} reads another",
        )
    raise DataError(
        f"{label}: holds {len(known)} configurations, `{shortened(known[0], 40)}` and `{shortened(known[1], 40)}`"
        f"{' among them' if len(known) > 2 else ''}; {word('config', known[0])} reads that one"
    )


def placed(inventory: Inventory, options: ReadOptions, names: Sequence[str]) -> dict[str, list[str]]:
    """The files of the places that the user names for splits. Raises DataError for a place without any."""
    places = options.split_places
    splits = {}
    for split in (*SPLITS, UNDIVIDED):
        if split in places:
            place = places[split]
            splits[split] = [name for name in names if name == place or name.startswith(f"{place}/")]
            if not splits[split]:
                raise DataError(f"{inventory.label}: no such files in `{place}`, which `split` names for {split}")
    return splits


def part_note(name: str) -> tuple[str, ...]:
    """Notes on a lone file that is one shard of several; () for others.

    >>> part_note("train-00000-of-00002.parquet")
    ('train-00000-of-00002.parquet is one of 2 shards; give the folder to read them all',)
    """
    found = SHARD.search(SUFFIXES.sub("", name))
    if found is None or int(found["total"]) < 2:
        return ()
    return (f"{name} is one of {int(found['total'])} shards; give the folder to read them all",)
