"""Hugging Face metadata: the YAML header of README.md, and dataset_info.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from sightlab.data.inventory import Inventory
from sightlab.data.layouts.split_files import Grouping, ordered_splits, says_config, split_in
from sightlab.errors import DataError

MOST_BYTES = 4 * 2**20
CARD = "README.md"
INFOS = "dataset_infos.json"
UNNAMED = "default"

Names = Mapping[str, tuple[str, ...]]
"""Class names by column."""


@dataclass(frozen=True, eq=False)
class Card:
    """What a repository says of itself.

    names: class names by column, by configuration. files: patterns of file names by split, by configuration, below
    the folder `root`. preferred: the configuration that is read where none is asked for, "" for none.
    """

    root: str = ""
    names: Mapping[str, Names] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    preferred: str = ""

    def names_of(self, config: str, file: str) -> Names:
        """Class names by column of one configuration; of the only one, where either has no name.

        file: one of its files, whose folders may say what the configuration is called.
        """
        folders = file.removeprefix(f"{self.root}/").split("/")[:-1]
        for name in (config, *folders):
            if name in self.names:
                return self.names[name]
        nameless = UNNAMED in self.names or (config == UNNAMED and not any(map(says_config, folders)))
        return next(iter(self.names.values())) if len(self.names) == 1 and nameless else {}

    def grouping(self, names: Sequence[str]) -> Grouping | None:
        """The files by configuration and split as the repository says; None where it does not say it of all of them."""
        start = f"{self.root}/" if self.root else ""
        configs: dict[str, dict[str, tuple[str, ...]]] = {}
        for config, patterns in self.files.items():
            splits: dict[str, list[str]] = {}
            for split, wanted in patterns.items():
                own = [n for n in names if any(fits(n.removeprefix(start), pattern) for pattern in wanted)]
                splits.setdefault(split_in(split)[0] or "all", []).extend(own)
            if any(splits.values()):
                configs[config] = ordered_splits(splits)
        named_files = {name for splits in configs.values() for own in splits.values() for name in own}
        return Grouping(configs) if configs and named_files == set(names) else None


def fits(name: str, pattern: str) -> bool:
    """Whether a path fits a pattern of the hub, whose `**` also stands for no folder at all.

    >>> fits("data/train-00000-of-00001.parquet", "data/train-*"), fits("a.parquet", "**/*.parquet")
    (True, True)
    """
    return fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("**/", ""))


def read_card(inventory: Inventory) -> Card:
    """What the repository says of itself; an empty card where it says nothing that can be read."""
    everywhere = inventory.container.sizes  # a configuration's folder may be all that is read, its card lies above
    cards = [n for n in everywhere if n.rpartition("/")[2] == CARD and not inventory.only]
    infos = [n for n in everywhere if n.rpartition("/")[2] == INFOS and not inventory.only]
    if cards:
        name = min(cards, key=lambda n: n.count("/"))
        front = front_matter(inventory, name)
        found = Card(name.rpartition("/")[0], card_names(front), card_files(front), preferred_of(front))
        if found.names or not infos:
            return found
        return Card(found.root, legacy_names(inventory, infos[0]), found.files, found.preferred)
    return Card(names=legacy_names(inventory, infos[0])) if infos else Card()


def front_matter(inventory: Inventory, name: str) -> dict[str, Any]:
    """The YAML between the first two lines of `---`; empty where there is none."""
    import yaml

    text = inventory.file(name).head(MOST_BYTES).decode("utf-8", "replace")
    if not text.startswith("---"):
        return {}
    try:
        found = yaml.safe_load(text.removeprefix("---").partition("\n---")[0])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}  # prose; what it might have said is then told by the files
    return found if isinstance(found, dict) else {}


def dicts(value: Any) -> list[dict[str, Any]]:
    """A mapping, or a list of mappings, as a list of them; empty for anything else."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def card_names(front: Mapping[str, Any]) -> dict[str, Names]:
    """Class names by configuration and column from `dataset_info`."""
    found: dict[str, Names] = {}
    for info in dicts(front.get("dataset_info")):
        columns: dict[str, tuple[str, ...]] = {}
        for feature in dicts(info.get("features")):
            kind = feature.get("dtype")
            names = kind.get("class_label", {}).get("names") if isinstance(kind, dict) else None
            if isinstance(names, dict):
                names = [
                    names[key] for key in sorted(names, key=lambda key: int(str(key)) if str(key).isdecimal() else 0)
                ]
            if isinstance(names, list) and names:
                columns[str(feature.get("name"))] = tuple(map(str, names))
        if columns:
            found[str(info.get("config_name", UNNAMED))] = columns
    return found


def card_files(front: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Patterns of file names by configuration and split from `configs`."""
    found: dict[str, dict[str, list[str]]] = {}
    for config in dicts(front.get("configs")):
        splits: dict[str, list[str]] = {}
        for one in dicts(config.get("data_files")):
            paths = one.get("path")
            splits[str(one.get("split", "train"))] = [str(p) for p in (paths if isinstance(paths, list) else [paths])]
        if splits:
            found[str(config.get("config_name", UNNAMED))] = splits
    return found


def preferred_of(front: Mapping[str, Any]) -> str:
    """The configuration that is marked as the default, or called so; "" for none."""
    for config in dicts(front.get("configs")):
        if config.get("default") is True or config.get("config_name") == UNNAMED:
            return str(config.get("config_name", UNNAMED))
    return ""


def legacy_names(inventory: Inventory, name: str) -> dict[str, Names]:
    """Class names by configuration and column from the dataset_infos.json of older repositories."""
    infos = json_of(inventory, name)
    found = {config: feature_names(info.get("features")) for config, info in infos.items() if isinstance(info, dict)}
    return {config: names for config, names in found.items() if names}


def json_of(inventory: Inventory, name: str) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none that can be read."""
    try:
        found = json.loads(inventory.file(name).head(MOST_BYTES))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def feature_names(features: Any, where: str = "") -> Names:
    """Class names by column from features as `datasets` writes them.

    where: what messages call the place; DataError for names that are not different texts where it is given.

    >>> feature_names({"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}})
    {'label': ('cat', 'dog')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for column, feature in features.items() if isinstance(features, dict) else ():
        if not isinstance(feature, dict) or not feature.get("names"):
            continue
        names = feature["names"]
        if not isinstance(names, list) or len(set(map(str, names))) != len(names):
            if where:
                raise DataError(f"{where}: the class names of column `{column}` are not a list of different names")
            continue
        found[column] = tuple(map(str, names))
    return found
