"""Searches by Optuna: its samplers propose trials (TPE, CMA-ES), its pruners end them early (Hyperband)."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from sightlab.errors import StudyError
from sightlab.tune.rungs import ETA, levels
from sightlab.tune.search_plan import Plan
from sightlab.tune.searcher import Searcher
from sightlab.tune.space import Choice, Range, Values

if TYPE_CHECKING:
    import optuna


class OptunaSearch:
    """Trials by Optuna's ask-and-tell interface, its study in memory; implements `Searcher`.

    proposals: what proposes instead of a sampler. tpe: Bergstra et al. 2011, with the constant liar for running trials
    that Optuna has on by default; cmaes: Hansen 2016 (lists are sampled at random); hyperband: Li et al. 2018, as
    Optuna's HyperbandPruner, which assigns trials to brackets that start to prune at different rungs.
    """

    def __init__(self, plan: Plan, proposals: Searcher | None = None) -> None:
        self.optuna = import_optuna(plan.method)
        self.proposals, self.seed = proposals, plan.recipe.seed
        self.sampler: Callable[..., Any] = self.samplers()[plan.method]
        self.levels = levels(plan.recipe.epochs)
        self.plan = plan
        self.trials: dict[int, optuna.Trial] = {}
        self.axes = {key: distribution_of(self.optuna, axis) for key, axis in plan.space.axes.items()}
        self.study = self.optuna.create_study(
            study_name="sightlab",  # Hyperband's brackets are a function of it and of the trial's number
            direction="maximize" if plan.maximize else "minimize",
            pruner=self.pruner(plan.method),
        )

    def samplers(self) -> dict[str, Callable[..., Any]]:
        """The sampler of each method, as a function of the seed."""
        found = self.optuna.samplers
        return {
            "tpe": lambda seed: found.TPESampler(seed=seed),
            "cmaes": lambda seed: found.CmaEsSampler(seed=seed, warn_independent_sampling=False),
            "hyperband": lambda seed: found.RandomSampler(seed=seed),
        }

    def pruner(self, method: str) -> Any:
        """The pruner of a method. Its resource is 3^k at the rung that has 3^-k of the last one's epochs left to go."""
        found = self.optuna.pruners
        if method == "hyperband":
            return found.HyperbandPruner(min_resource=1, max_resource=ETA**self.levels, reduction_factor=ETA)
        return found.NopPruner()

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """See `Searcher`."""
        if known is None and self.proposals is not None:
            known = self.proposals.ask(number)
            if known is None:
                return None
        # A sampler of its own for each trial: its draws must not depend on how many trials this process has seen.
        self.study.sampler = self.sampler(int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]))
        if self.proposals is not None:
            return self.enqueue(number, dict(known or {}))
        trial = self.trials[number] = self.study.ask(self.axes)
        values = {key: trial.params[key] for key in self.axes}
        if known is None or values == dict(known):
            return values
        # Another version of Optuna may propose something else than the one that wrote the record.
        self.study.tell(trial, state=self.optuna.trial.TrialState.FAIL)
        return self.enqueue(number, dict(known))

    def enqueue(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        """A trial with these values, whatever the sampler would propose."""
        self.study.enqueue_trial(values)
        self.trials[number] = self.study.ask(self.axes)
        return values

    def report(self, number: int, rung: int, value: float) -> bool:
        """See `Searcher`: the pruner decides."""
        trial = self.trials[number]
        missing = self.levels + 1 - len(self.plan.rungs_of(trial.params))
        trial.report(value, ETA ** (rung + missing))
        return not trial.should_prune()

    def tell(self, number: int, value: float | None) -> None:
        """See `Searcher`. TPE ranks one that failed last, like one pruned without a report."""
        states = self.optuna.trial.TrialState
        if value is None:
            self.study.tell(self.trials[number], state=states.PRUNED)
        else:
            self.study.tell(self.trials[number], value)

    def stop(self, number: int) -> None:
        """See `Searcher`."""
        self.study.tell(self.trials[number], state=self.optuna.trial.TrialState.PRUNED)

    def promotable(self, total: int | None) -> list[int]:  # noqa: ARG002 - as Searcher has it
        """See `Searcher`: a pruner promotes no trial later."""
        return []

    def promote(self, number: int) -> None:
        """See `Searcher`: the pruner has decided it."""


def import_optuna(method: str = "tpe") -> Any:
    """Optuna, without its log messages. Raises StudyError where it, or what a method needs beside it, is missing."""
    try:
        import optuna

        if method == "cmaes":
            import_module("cmaes")
    except ImportError as error:
        raise StudyError(
            f"--method {method}: needs {error.name}, which is not installed; "
            'pip install "sightlab[tune]", or use --method grid or random'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def distribution_of(optuna: Any, axis: Choice | Range) -> Any:
    """An axis as an Optuna distribution. optuna: the library."""
    found = optuna.distributions
    if isinstance(axis, Choice):
        return found.CategoricalDistribution(axis.values)
    if axis.whole:
        return found.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return found.FloatDistribution(axis.low, axis.high, log=axis.log)
