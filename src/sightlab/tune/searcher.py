"""Which trial is next, and whether one goes on: our own draws and halving, Optuna for the rest.

The process that drives a search holds the Optuna study in memory and tells it everything; after a stop it is made anew
by telling it again, in the same order, what the record says. So every proposal is a function of the plan's seed, the
trial's number and what was known by then, whatever process makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sightlab.errors import StudyError
from sightlab.tune.draws import Drawn
from sightlab.tune.rungs import ETA, levels
from sightlab.tune.search_plan import EARLY, Plan
from sightlab.tune.space import Choice, Range, Values
from sightlab.tune.successive_halving import Halving

if TYPE_CHECKING:
    import optuna


class Search(Protocol):
    """What proposes trials, and is told of them."""

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """The values of trial `number`, counted from 0; None where the space has no more.

        known: the values that it has, by the record of an earlier sitting.
        """

    def report(self, number: int, place: int, value: float) -> bool:
        """Whether a trial goes on from a rung. place: the rung's, from 0; value: of the metric there."""

    def tell(self, number: int, value: float | None) -> None:
        """A trial has come to its end with this value; None for one that failed."""

    def stop(self, number: int) -> None:
        """A trial has been ended early; what it reported is what is known of it."""

    def promotable(self, total: int | None) -> list[int]:
        """Trials that were ended early and are to go on, as more is known by now; the next first.

        total: how many trials there will be in all; None where that is not known.
        """

    def promote(self, number: int) -> None:
        """A trial goes on from a rung, at once or later."""


def search_of(plan: Plan) -> Search:
    """The search of a plan. Raises StudyError where Optuna is needed and not installed."""
    if plan.method in ("grid", "random"):
        return Drawn(plan)
    if plan.method == "asha":
        return Halving(plan)
    return Asked(plan, Drawn(plan) if plan.method in EARLY else None)


class Asked:
    """Trials by Optuna's ask-and-tell: its samplers propose (TPE, CMA-ES), its pruners end trials early.

    proposals: what proposes instead of a sampler. tpe: Bergstra et al. 2011, with the liar for trials under way that
    Optuna has on by default; cmaes: Hansen 2016 (lists are drawn at random beside it); hyperband: Li et al. 2018, as
    Optuna's HyperbandPruner, which deals trials out to brackets that begin to look at different rungs.
    """

    def __init__(self, plan: Plan, proposals: Drawn | None) -> None:
        self.optuna = imported(plan.method)
        self.proposals, self.seed = proposals, plan.recipe.seed
        self.sampler: Callable[..., Any] = self.samplers()[plan.method]
        self.levels = levels(plan.recipe)
        self.plan = plan
        self.trials: dict[int, optuna.Trial] = {}
        self.axes = {key: distribution_of(self.optuna, axis) for key, axis in plan.space.axes.items()}
        self.study = self.optuna.create_study(
            study_name="sightlab",  # of which, and of the trial's number, Hyperband's brackets are a function
            direction="maximize" if plan.high else "minimize",
            pruner=self.pruner(plan.method),
        )

    def samplers(self) -> dict[str, Callable[..., Any]]:
        """The sampler of each method, to be made with a seed."""
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
        """The values of a trial, proposed from what has been told by now."""
        if known is None and self.proposals is not None:
            known = self.proposals.ask(number)
            if known is None:
                return None
        # A sampler of its own for each trial: what it draws must not depend on how many trials this process has seen.
        self.study.sampler = self.sampler(int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0]))
        if self.proposals is not None:
            return self.given(number, dict(known or {}))
        trial = self.trials[number] = self.study.ask(self.axes)
        values = {key: trial.params[key] for key in self.axes}
        if known is None or values == dict(known):
            return values
        # Another version of Optuna may propose something else than the one that made the record.
        self.study.tell(trial, state=self.optuna.trial.TrialState.FAIL)
        return self.given(number, dict(known))

    def given(self, number: int, values: dict[str, Any]) -> dict[str, Any]:
        """A trial with these values, whatever the sampler would propose."""
        self.study.enqueue_trial(values)
        self.trials[number] = self.study.ask(self.axes)
        return values

    def report(self, number: int, place: int, value: float) -> bool:
        """Whether the pruner lets a trial go on."""
        trial = self.trials[number]
        missing = self.levels + 1 - len(self.plan.rungs_of(trial.params))
        trial.report(value, ETA ** (place + missing))
        return not trial.should_prune()

    def tell(self, number: int, value: float | None) -> None:
        """Tell Optuna how a trial ended. TPE takes one that failed for the worst, as one ended without a report."""
        states = self.optuna.trial.TrialState
        if value is None:
            self.study.tell(self.trials[number], state=states.PRUNED)
        else:
            self.study.tell(self.trials[number], value)

    def stop(self, number: int) -> None:
        """Tell Optuna that a trial has been ended early."""
        self.study.tell(self.trials[number], state=self.optuna.trial.TrialState.PRUNED)

    def promotable(self, total: int | None) -> list[int]:  # noqa: ARG002 - as a Search has it
        """A pruner takes no trial up again."""
        return []

    def promote(self, number: int) -> None:
        """The pruner knows."""


def imported(method: str = "") -> Any:
    """Optuna, which says nothing. Raises StudyError where it, or what a method needs beside it, is not installed."""
    try:
        import optuna

        if method == "cmaes":
            import_module("cmaes")
    except ImportError as error:
        raise StudyError(
            f"--method {method or 'tpe'}: needs {error.name}, which is not installed; "
            'pip install "sightlab[tune]", or take --method grid or random'
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def distribution_of(optuna: Any, axis: Choice | Range) -> Any:
    """An axis as Optuna has it. optuna: the library."""
    found = optuna.distributions
    if isinstance(axis, Choice):
        return found.CategoricalDistribution(axis.values)
    if axis.whole:
        return found.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return found.FloatDistribution(axis.low, axis.high, log=axis.log)
