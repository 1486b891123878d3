"""Which trial is next, and whether one goes on: our own draws for lists and for random, Optuna for the rest.

The process that drives a search holds the Optuna study in memory and tells it everything; after a stop it is made anew
by telling it again, in the same order, what the record says. So every proposal is a function of the plan's seed, the
trial's number and what was known by then, whatever process makes it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sightlab.errors import StudyError
from sightlab.tune.plan import EARLY, Plan
from sightlab.tune.rungs import ETA
from sightlab.tune.space import Choice, Range, Space, Values

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


def search_of(plan: Plan) -> Search:
    """The search of a plan. Raises StudyError where Optuna is needed and not installed."""
    if plan.method in ("grid", "random"):
        return Drawn(plan)
    return Asked(plan, Drawn(plan) if plan.method in EARLY else None)


class Drawn:
    """Trials that do not depend on each other: the cells of a grid in order, or of a space in a random one.

    A space of lists alone is drawn from without putting back; one with ranges by uniform draws (Bergstra and Bengio
    2012, "Random search for hyper-parameter optimization").
    """

    def __init__(self, plan: Plan) -> None:
        self.space, self.seed = plan.space, plan.recipe.seed
        self.cells: list[dict[str, Any]] | None = None
        if plan.space.cells is not None:
            self.cells = list(plan.space.grid())
            if plan.method != "grid":
                random.Random(self.seed).shuffle(self.cells)  # noqa: S311 - no secret

    def ask(self, number: int, known: Values | None = None) -> dict[str, Any] | None:
        """The values of a trial, as the draw of its number has them."""
        if known is not None:
            return dict(known)
        if self.cells is None:
            return drawn(self.space, np.random.default_rng([self.seed, number]))
        return self.cells[number] if number < len(self.cells) else None

    def report(self, number: int, place: int, value: float) -> bool:  # noqa: ARG002 - as a Search has it
        """Every trial goes on."""
        return True

    def tell(self, number: int, value: float | None) -> None:
        """Nothing is learnt."""

    def stop(self, number: int) -> None:
        """Nothing is learnt."""


def drawn(space: Space, generator: np.random.Generator) -> dict[str, Any]:
    """Values at random: of a list each as likely, of a range uniform in the number or its logarithm."""
    found: dict[str, Any] = {}
    for key, axis in space.axes.items():
        if isinstance(axis, Choice):
            found[key] = axis.values[int(generator.integers(len(axis.values)))]
            continue
        # A whole number owns the numbers that round to it, so that both ends are as likely as the others.
        room = 0.5 if axis.whole else 0.0
        low, high = axis.low - room, axis.high + room
        if axis.log:
            value = math.exp(generator.uniform(math.log(low), math.log(high)))
        else:
            value = float(generator.uniform(low, high))
        value = min(max(round(value) if axis.whole else value, axis.low), axis.high)
        found[key] = value
    return found


class Asked:
    """Trials by Optuna's ask-and-tell: its samplers propose (TPE, CMA-ES), its pruners end trials early.

    proposals: what proposes instead of a sampler. tpe: Bergstra et al. 2011, with the liar for trials under way that
    Optuna has on by default; cmaes: Hansen 2016 (lists are drawn at random beside it); asha: Li et al. 2020, as
    Optuna's SuccessiveHalvingPruner, which ends a trial at once and takes none up again; hyperband: Li et al. 2018,
    as Optuna's HyperbandPruner, which deals trials out to brackets that begin to look at different rungs.
    """

    def __init__(self, plan: Plan, proposals: Drawn | None) -> None:
        self.optuna = imported(plan.method)
        self.proposals, self.seed = proposals, plan.recipe.seed
        self.sampler: Callable[..., Any] = self.samplers()[plan.method]
        self.levels = math.floor(math.log(plan.recipe.epochs, ETA) + 1e-9)
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
            "asha": lambda seed: found.RandomSampler(seed=seed),
            "hyperband": lambda seed: found.RandomSampler(seed=seed),
        }

    def pruner(self, method: str) -> Any:
        """The pruner of a method. Its resource is 3^k at the rung that has 3^-k of the last one's epochs left to go."""
        found = self.optuna.pruners
        if method == "asha":
            return found.SuccessiveHalvingPruner(min_resource=1, reduction_factor=ETA)
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
