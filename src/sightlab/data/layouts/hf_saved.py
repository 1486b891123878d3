"""Layout: Hugging Face `save_to_disk` folders, and Arrow files of its cache."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace

from sightlab.data.arrow.card import Names, dicts, feature_names, json_of
from sightlab.data.arrow.claims import table_claim
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import Claim, Layout, ReadOptions, refused
from sightlab.data.layouts.configs import check_not_empty, chosen_splits
from sightlab.data.messages import counted
from sightlab.errors import DataError

NAME = "hf-save-to-disk"
STATE, INFO = "state.json", "dataset_info.json"
# What `map` and `filter` leave beside a set in the cache.
DERIVED = re.compile(r"(cache|tmp)[-_]?\w*\.arrow")


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The labelled pictures of Arrow files, in the order of their rows."""
    arrows = inventory.kinds.get("arrow", ())
    if not arrows or options.list or options.label_from:
        return None
    try:
        check_not_empty(inventory, (".arrow",))
        saved = saved_files(inventory)
        names = saved or [n for n in arrows if not DERIVED.fullmatch(posixpath.basename(n))] or arrows
        _, splits, notes = chosen_splits(inventory, options, names)
        left = [name for name in arrows if name not in names]
        if left:
            notes = (*notes, f"{counted(left, 'Arrow file', 'Arrow files')} of other stages ignored")
        around = lone_info(inventory) if inventory.only else inventory
        claim = table_claim(inventory, options, NAME, splits, class_names(around), notes, known=bool(saved))
        return claim and replace(claim, beside=around.texts if inventory.only else ())
    except DataError as error:
        return refused(NAME, str(error))


def lone_info(inventory: Inventory) -> Inventory:
    """The dataset_info.json beside a lone file, if there is one."""
    return inventory.beside().only_names(lambda name: name == INFO)


def saved_files(inventory: Inventory) -> list[str]:
    """The Arrow files that the state.json of each saved set names, in its order; none where there is none.

    Raises DataError for one that is not there, and for a set of rows picked by a file of indices, as old versions had.
    """
    found = []
    for state in (name for name in inventory.texts if posixpath.basename(name) == STATE):
        facts = json_of(inventory, state)
        if facts.get("_indices_data_files") or facts.get("_indices_files"):
            raise DataError(
                f"{inventory.shown(state)}: picks rows by a file of indices; call flatten_indices() and save it again"
            )
        for one in dicts(facts.get("_data_files")):
            name = posixpath.join(posixpath.dirname(state), str(one.get("filename")))
            if name not in inventory.container.sizes:
                raise DataError(f"{inventory.shown(name)}: this file is missing; {STATE} names it")
            found.append(name)
    return found


def class_names(inventory: Inventory) -> Names:
    """Class names by column, as every dataset_info.json says. Raises DataError where two differ."""
    found: dict[str, tuple[str, ...]] = {}
    for info in (name for name in inventory.texts if posixpath.basename(name) == INFO):
        for column, names in feature_names(json_of(inventory, info).get("features"), inventory.shown(info)).items():
            if found.setdefault(column, names) != names:
                raise DataError(
                    f"{inventory.shown(info)}: the class names of column `{column}` differ from another split's"
                )
    return found


LAYOUT = Layout(
    NAME,
    "a data set that Hugging Face datasets saved with save_to_disk",
    """
    pets/
      dataset_dict.json
      train/  data-00000-of-00001.arrow  dataset_info.json  state.json
      test/   data-00000-of-00001.arrow  dataset_info.json  state.json
    """,
    matches,
)
