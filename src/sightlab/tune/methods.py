"""The searcher of each method."""

from __future__ import annotations

from collections.abc import Callable

from sightlab.tune.asha import Asha
from sightlab.tune.grid_search import GridSearch
from sightlab.tune.optuna_search import OptunaSearch
from sightlab.tune.random_search import RandomSearch
from sightlab.tune.search_plan import Plan
from sightlab.tune.searcher import Searcher

SEARCHERS: dict[str, Callable[[Plan], Searcher]] = {
    "grid": GridSearch,
    "random": RandomSearch,
    "tpe": OptunaSearch,
    "cmaes": OptunaSearch,
    "asha": Asha,
    "hyperband": lambda plan: OptunaSearch(plan, RandomSearch(plan)),
}


def searcher_of(plan: Plan) -> Searcher:
    """The searcher of a plan, before its first trial. Raises StudyError where it needs Optuna, not installed."""
    return SEARCHERS[plan.method](plan)
