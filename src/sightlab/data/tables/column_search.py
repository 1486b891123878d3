"""Resolving the cells of one column to pictures, all by one rule."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sightlab.data.layouts.split_words import WORDS
from sightlab.data.pictures.suffixes import is_picture_name
from sightlab.data.tables.finder import Finder, end_of, folded, spellings, split_in

STEM_ENDS = re.compile(r"[-_ ]?(labels?|list|annotations?|metadata)$", re.IGNORECASE)
MASKS = re.compile(r"masks?|seg(mentations?)?|trimaps?|annotations?|labels?|depth|gt|ground_?truth", re.IGNORECASE)
SAMPLE = 1000


@dataclass(frozen=True)
class Place:
    """Where a list lies, and what tells two pictures of one name apart.

    folder: the list's. stem: the list's own name, less `_labels`. column: the heading over the pictures. split: which
    the list's name or folder says.
    """

    folder: str = ""
    stem: str = ""
    column: str = ""
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The pictures a cell may mean: one when all is well. how: `path` from the list or the source; `end`, the end of
    the picture's path; `case`, `id` (the cell has no suffix) and `suffix` (it has another) for looser matches. kept:
    what of the cell's path was looked for.
    """

    names: tuple[str, ...] = ()
    how: str = ""
    kept: str = ""


def place_of(name: str, split: str | None) -> Place:
    """The place of a list of this name.

    >>> place_of("set/x_train_labels.txt", "train")
    Place(folder='set', stem='x_train', column='', split='train')
    """
    folder, base = posixpath.split(name)
    return Place(folder, STEM_ENDS.sub("", base.partition(".")[0]), "", split)


class Search:
    """Finds the pictures of one column. The rule, how much of a path is left out, is chosen once for all cells.

    A path is looked for as it stands. Only where no cell's path is there as it stands are leading folders left out,
    as few as will do, or all folders: those of the machine where the list was made.
    """

    def __init__(self, finder: Finder, place: Place, cells: Sequence[str]) -> None:
        self.finder, self.place = finder, place
        self.drop = self.keep = 0
        step = max(1, len(cells) // SAMPLE)
        self._choose([path for cell in cells[::step] for path in spellings(cell)])

    def _choose(self, paths: Sequence[str]) -> None:
        deepest = max((path.count("/") for path in paths), default=0)
        for self.drop in range(deepest + 1):
            found = [match.kept for path in paths if (match := self.looked_up(path)).names]
            if found and self.drop and not any("/" in kept for kept in found):
                break  # no folder of theirs is known here
            if found:
                return
        self.keep = int(self.drop > 0)
        self.drop = 0

    def find(self, cell: str, split: str | None = None, *, certain: bool = True) -> Match:
        """What a cell means. split: which its row says; certain: whether it means a folder of that split."""
        exact = f"{self.place.folder}/{cell}" if self.place.folder else cell
        if exact in self.finder.pictures:
            return Match((exact,), "path", cell)
        for path in spellings(cell):
            match = self.looked_up(path)
            if match.names:
                return self.significant(match, split or self.place.split, certain=certain)
        return match

    def looked_up(self, path: str) -> Match:
        """The pictures at a path, or at the end of one."""
        pictures, folder = self.finder.pictures, self.place.folder
        if folder:
            direct = posixpath.normpath(f"{folder}/{path}") if ".." in path else f"{folder}/{path}"
            if direct in pictures:
                return Match((direct,), "path", path)
        kept = self.kept(path)
        if kept in pictures:
            return Match((kept,), "path", kept)
        if not kept:
            return Match(kept=path)
        if named := [n for n in self._below_stem(kept) if n in pictures]:
            return Match((named[0],), "path", kept)
        if found := self.finder.by_end(kept):
            return Match(tuple(found), "end", kept)
        return self._loosely(kept)

    def kept(self, path: str) -> str:
        """What of a path is looked for."""
        parts = [part for part in path.split("/") if part != ".."]
        if self.keep:
            return parts[-1] if parts else ""
        return "/".join(parts[self.drop :] or parts[-1:])

    def _below_stem(self, kept: str) -> list[str]:
        if not self.place.stem:
            return []
        return [f"{self.place.folder}/{self.place.stem}/{kept}" if self.place.folder else f"{self.place.stem}/{kept}"]

    def _loosely(self, kept: str) -> Match:
        found = self.finder.by_loose_end(kept)
        if not found or not is_picture_name(kept):
            return Match(tuple(found), "id", kept)
        depth, plain = kept.count("/") + 1, folded(kept)
        same = tuple(name for name in found if folded(end_of(name, depth) or "") == plain)
        return Match(same, "case", kept) if same else Match(tuple(found), "suffix", kept)

    def significant(self, match: Match, split: str | None, *, certain: bool = True) -> Match:
        """The match with those pictures left that lie where the list and the split say."""
        if match.how == "path":
            return match
        names = self._of_split(match, split, certain=certain)
        for keep in (self._below_list, self._named_by_column, self._no_mask):
            if len(names) > 1:
                names = tuple(name for name in names if keep(name)) or names
        return Match(names, match.how, match.kept)

    def _of_split(self, match: Match, split: str | None, *, certain: bool) -> tuple[str, ...]:
        """A list for training means no picture in the folder of another split, where there is one for training."""
        if split is None or split not in self.finder.splits:
            return match.names
        split_by_name = {name: split_in(added_to(name, match.kept)) for name in match.names}
        own = tuple(name for name in match.names if split_by_name[name] == split)
        if own and not certain:
            return tuple(name for name in match.names if split_by_name[name] in (split, None))
        return own or tuple(name for name in match.names if split_by_name[name] is None)

    def _below_list(self, name: str) -> bool:
        return name.startswith(f"{self.place.folder}/") if self.place.folder else True

    def _named_by_column(self, name: str) -> bool:
        """Whether a folder of the picture is called like the column: `image` or `images`."""
        column = self.place.column.casefold()
        return (
            bool(column)
            and column not in WORDS
            and any(p in (column, f"{column}s") for p in folded(name).split("/")[:-1])
        )

    def _no_mask(self, name: str) -> bool:
        return not any(MASKS.fullmatch(part) for part in name.split("/")[:-1])


def added_to(name: str, kept: str) -> str:
    """The folders of a picture that the cell did not say: those before the part that was looked for.

    >>> added_to("pets/train/a/1.png", "a/1.png")
    'pets/train'
    """
    return "/".join(name.split("/")[: -(kept.count("/") + 1)])
