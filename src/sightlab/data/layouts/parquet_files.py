"""Layout: Parquet files, alone or as shards by split and configuration as on the Hugging Face hub."""

from __future__ import annotations

from sightlab.data.arrow.card import read_card
from sightlab.data.arrow.claims import table_claim
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import Claim, Layout, ReadOptions, refused
from sightlab.data.layouts.configs import check_not_empty, chosen_splits
from sightlab.errors import DataError

NAME = "parquet"


def matches(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The labelled pictures of the source's Parquet files, in the order of their rows."""
    names = inventory.kinds.get("parquet", ())
    if not names or options.list or options.label_from:
        return None
    try:
        check_not_empty(inventory, (".parquet",))
        card = read_card(inventory)
        config, splits, notes = chosen_splits(inventory, options, names, card.grouping(names), card.preferred)
        first = next(name for own in splits.values() for name in own)
        return table_claim(inventory, options, NAME, splits, card.names_of(config, first), notes)
    except DataError as error:
        return refused(NAME, str(error))


LAYOUT = Layout(
    NAME,
    "Parquet files with a column of pictures and one of labels",
    """
    pets/
      README.md
      data/
        train-00000-of-00002.parquet
        train-00001-of-00002.parquet
        test-00000-of-00001.parquet
    """,
    matches,
)
