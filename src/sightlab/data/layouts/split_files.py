"""Split and configuration of files that hold many pictures each (Parquet, Arrow, tar)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sightlab.data.containers.base import parents
from sightlab.data.imageset import SPLITS, UNDIVIDED, natural_key
from sightlab.data.layouts.split_words import WORDS, exact_split, parsed, plain, split_family
from sightlab.data.messages import shortened

SUFFIXES = re.compile(r"(\.(parquet|pq|arrow|feather|tar|tgz|snappy|zstd|gz|gzip|lz4|c000))+$", re.IGNORECASE)
# `-00000-of-00002` and a fingerprint behind it, as the hub's shards have them.
SHARD = re.compile(r"[-_.]?(?<!\d)(?P<number>\d+)[-_]of[-_](?P<total>\d+)([-_][0-9a-f]{8,})?$", re.IGNORECASE)
SPARK = re.compile(r"^part[-_.]\d.*$")
# What stands in the name of a file or a folder and says nothing of its configuration.
NEUTRAL = frozenset(
    (
        *("data", "dataset", "datasets", "set", "images", "image", "files", "split", "splits", "parquet", "arrow"),
        *("part", "shard", "shards", "chunk", "batch", "partial", "tars", "wds", "webdataset"),
    )
)
HIVE = re.compile(r"(?!config)\w+=.*")


@dataclass(frozen=True)
class Place:
    """What a file's path says: its split, None where it says none; the words left that may name a configuration."""

    split: str | None
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Files by configuration and split.

    configs: the files of each split, `all` for none, by configuration's name. shared: words that all files have.
    """

    configs: Mapping[str, Mapping[str, tuple[str, ...]]]
    shared: frozenset[str] = frozenset()

    def named(self, config: str) -> str | None:
        """The configuration that a user means: by its whole name, or the last part of it; None for none."""
        for known in self.configs:
            if config.casefold() in (known.casefold(), known.rpartition("/")[2].casefold()):
                return known
        alone = len(self.configs) == 1 and config.casefold() in {word.casefold() for word in self.shared}
        return next(iter(self.configs)) if alone else None


def grouped(names: Collection[str]) -> Grouping:
    """Files by configuration and split, as their names and folders say.

    >>> found = grouped(["full/train-00000-of-00001.parquet", "full/test.parquet", "small/train.parquet"])
    >>> found.configs["full"]
    {'train': ('full/train-00000-of-00001.parquet',), 'test': ('full/test.parquet',)}
    >>> list(found.configs)
    ['full', 'small']
    """
    ordered = sorted(names, key=natural_key)
    families = folder_families(ordered)
    stems = [stem for stem in dict.fromkeys(map(stem_of, ordered)) if stem]
    glued = split_family(stems) or {}
    places = {name: place_of(name, families, glued) for name in ordered}
    shared = shared_words([place.words for place in places.values()])
    configs: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for name, place in places.items():
        words = [word for word in place.words if word not in shared]
        configs["/".join(words) or "default"][place.split or UNDIVIDED].append(name)
    return Grouping({config: ordered_splits(splits) for config, splits in configs.items()}, shared)


def ordered_splits(splits: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The splits in their usual order."""
    return {split: tuple(splits[split]) for split in (*SPLITS, UNDIVIDED) if splits.get(split)}


def shared_words(words: Sequence[tuple[str, ...]]) -> frozenset[str]:
    """The words that all files have, which tell none from another."""
    return frozenset(set(words[0]).intersection(*words[1:])) if words else frozenset()


def place_of(name: str, families: Mapping[str, str], glued: Mapping[str, str]) -> Place:
    """What one file's path says of its split and configuration. The file's own name comes before its folders."""
    folders = name.split("/")[:-1]
    stem = stem_of(name)
    split, rest = split_in(stem)
    if split is None and stem in glued:
        split, rest = glued[stem], ()
    if split is None:
        rest = ()  # names of files that say no split tell shards apart, not configurations
        for depth in range(len(folders), 0, -1):
            path, own = "/".join(folders[:depth]), folders[depth - 1]
            found, more = split_in(own)
            split = families.get(path) or (found if not set(more) - NEUTRAL else None)
            if split is not None:
                folders = [*folders[: depth - 1], *folders[depth:]]
                break
    elif folders and exact_split(plain(folders[-1])) == split:
        folders = folders[:-1]
    return Place(split, (*(f for f in folders if says_config(f)), *rest))


def says_config(folder: str) -> bool:
    """Whether a folder's name may be that of a configuration: no shard's number, no partition's `key=value`."""
    words = set(re.findall(r"[^\W\d_]+", folder.casefold()))
    return bool(words - NEUTRAL) and not HIVE.fullmatch(folder)


def stem_of(name: str) -> str:
    """A file's name without its folder, suffixes and number of a shard.

    >>> [stem_of(name) for name in ("data/train-00000-of-00002.parquet", "train_0001.tar", "part-0-a1.snappy.parquet")]
    ['train', 'train', '']
    """
    stem = SUFFIXES.sub("", name.rpartition("/")[2])
    return re.sub(r"(^|[-_. ]+)\d+$", "", SPARK.sub("", SHARD.sub("", stem)))


def split_in(text: str) -> tuple[str | None, tuple[str, ...]]:
    """The split that a whole word of a text says, or the text glued to plain words; and the words beside it.

    >>> split_in("cifar10-train"), split_in("valset"), split_in("trainers")
    (('train', ('cifar10',)), ('validation', ()), (None, ('trainers',)))
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    words = [word for word in re.split(r"[\W_]+", spaced.casefold()) if word]
    for place, word in enumerate(words):
        if word.rstrip("0123456789") in WORDS or word in WORDS:
            rest = [*words[:place], *words[place + 1 :]]
            return WORDS.get(word) or WORDS[word.rstrip("0123456789")], tuple(w for w in rest if w not in NEUTRAL)
    found = parsed(text)
    if found and not found[1]:
        return found[0], ()
    return None, tuple(words)


def folder_families(names: Sequence[str]) -> dict[str, str]:
    """The split of each folder whose name is glued to a split's word, as of those beside it: `petstrain`."""
    inner: dict[str, set[str]] = defaultdict(set)
    for name in names:
        for folder in parents(name):
            inner[folder.rpartition("/")[0]].add(folder.rpartition("/")[2])
    found: dict[str, str] = {}
    for above, own in inner.items():
        family = split_family(own) if len(own) > 1 else None
        found.update({f"{above}/{one}" if above else one: split for one, split in (family or {}).items()})
    return found


def incomplete(names: Sequence[str]) -> str | None:
    """What is wrong with sets of shards that lack one, or have one twice; None where nothing is.

    >>> incomplete(["data/train-00001-of-00002.parquet"])
    'data/train-00000-of-00002.parquet: this shard is missing; train-00001-of-00002.parquet says there are 2'
    """
    sets: dict[str, dict[int, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in names:
        if found := SHARD.search(SUFFIXES.sub("", name)):
            shards = sets[name[: found.start()]][int(found["total"])]
            if other := shards.get(int(found["number"])):
                return f"{name}: is the same shard as {short(other)}; keep one of the two"
            shards[int(found["number"])] = name
    for totals in sets.values():
        if len(totals) > 1:
            one, two = (next(iter(shards.values())) for shards in list(totals.values())[:2])
            return f"{one}: is of another set of shards than {short(two)}; keep one of the two sets"
        for total, shards in totals.items():
            missing = [number for number in range(total) if number not in shards]
            if missing:
                other = next(iter(shards.values()))
                return f"{renumbered(other, missing[0])}: this shard is missing; {short(other)} says there are {total}"
    return None


def renumbered(name: str, number: int) -> str:
    """The name of another shard of a set, without a fingerprint.

    >>> renumbered("train-00001-of-00002-8f3a2b1c9d.parquet", 0)
    'train-00000-of-00002.parquet'
    """
    base = SUFFIXES.sub("", name)
    found = SHARD.search(base)
    if found is None:
        return name
    digits = str(number).zfill(len(found["number"]))
    return base[: found.start("number")] + digits + base[found.end("number") : found.end("total")] + name[len(base) :]


def short(name: str) -> str:
    """A file's name without its folder, for a message."""
    return shortened(name.rpartition("/")[2])
