"""The folder tree of a source's pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

from sightlab.data.containers.base import parents
from sightlab.data.imageset import natural_key
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.split_words import exact_split, plain


def last(folder: str) -> str:
    """The last part of a folder's path."""
    return folder.rpartition("/")[2]


class Tree:
    """Folders by their full paths; "" is the source itself.

    within: pictures at any depth in a folder. direct: pictures that lie in it directly. children: its folders that
    hold pictures, in natural order.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.direct = Counter(name.rpartition("/")[0] for name in inventory.pictures)
        self.within: Counter[str] = Counter()
        for folder, count in self.direct.items():
            for above in (folder, *parents(folder)):
                if above:
                    self.within[above] += count
        found: dict[str, list[str]] = defaultdict(list)
        for folder in sorted(self.within, key=natural_key):
            found[folder.rpartition("/")[0]].append(folder)
        self.children = dict(found)

    def inner(self, folder: str) -> list[str]:
        """A folder's folders that hold pictures."""
        return self.children.get(folder, [])

    def inner_names(self, folder: str) -> list[str]:
        """The last parts of a folder's folders that hold pictures."""
        return [last(one) for one in self.inner(folder)]

    def below(self, folder: str) -> str:
        """The first folder at or below this one that has several folders, or pictures beside a folder, in it."""
        while len(self.inner(folder)) == 1 and not self.direct[folder] and self.inner(self.inner(folder)[0]):
            folder = self.inner(folder)[0]
        return folder

    @cached_property
    def top(self) -> str:
        """Where splits or classes begin: the folders around them gone, but not one that is called by a split."""
        chain = [""]
        while len(self.inner(chain[-1])) == 1 and not self.direct[chain[-1]]:
            (only,) = self.inner(chain[-1])
            if not self.inner(only):
                break
            chain.append(only)
        if not self.are_splits(chain[-1]):
            for above, folder in pairwise(chain):
                if exact_split(plain(last(folder))):
                    return above
        return chain[-1]

    def are_splits(self, folder: str) -> bool:
        """Whether all folders in this one are called by splits."""
        names = self.inner_names(folder)
        return bool(names) and all(exact_split(plain(name)) for name in names)

    def empty(self, folder: str) -> list[str]:
        """The folders directly in this one that hold no file at all, at any depth."""
        start = f"{folder}/" if folder else ""
        named = [f for f in self.inventory.container.folders if f.startswith(start) and "/" not in f[len(start) :]]
        return sorted((f for f in named if f not in self.within and f not in self.filled), key=natural_key)

    @cached_property
    def filled(self) -> frozenset[str]:
        """Every folder with a file of any kind in it, also one that is ignored; those of no bytes apart."""
        return frozenset(f for name, size in self.inventory.container.sizes.items() if size for f in parents(name))

    def pairs(self, root: str) -> list[tuple[str, str]]:
        """(picture, class folder) of every picture in a class folder of `root`, at any depth."""
        start = f"{root}/" if root else ""
        return [(name, first) for name, first, _ in self.parted(start) if first]

    def parted(self, start: str) -> Iterator[tuple[str, str, str]]:
        """(picture, first folder below `start`, second one) of every picture there; "" where there is none."""
        for name in self.inventory.pictures:
            if name.startswith(start):
                first, slash, rest = name[len(start) :].partition("/")
                second, deeper, _ = rest.partition("/")
                yield name, first if slash else "", second if deeper else ""
