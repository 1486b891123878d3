"""Trials that go through a grid."""

from __future__ import annotations

from sightlab.tune.random_search import RandomSearch
from sightlab.tune.search_plan import Plan


class GridSearch(RandomSearch):
    """Every combination of the lists once, the last key changing fastest; implements `Searcher`."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.cells = list(plan.space.grid())
