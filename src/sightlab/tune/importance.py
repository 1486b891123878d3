"""Importance of each parameter of a search."""

from __future__ import annotations

from collections.abc import Sequence

from sightlab.tune.optuna_search import distribution_of, import_optuna
from sightlab.tune.search_plan import Plan
from sightlab.tune.trials import Trial

FEWEST = 20  # trials with all their epochs, below which the shares would be noise


def importance(plan: Plan, trials: Sequence[Trial]) -> dict[str, float]:
    """Each parameter's share, {dotted path: in [0, 1]}, in all 1; empty where there are too few trials to say.

    PED-ANOVA (Watanabe, Bansal and Hutter 2023, "PED-ANOVA: efficiently quantifying hyperparameter importance in
    arbitrary subspaces"), as in Optuna: how much the best tenth of the trials differs from all of them in a parameter.
    Raises StudyError where Optuna is not installed.
    """
    known = [one for one in trials if one.state == "complete" and one.value is not None and one.duplicate_of is None]
    varied = [key for key in plan.space.axes if len({repr(one.values[key]) for one in known}) > 1]
    if len(known) < FEWEST or len(varied) < 2:
        return {}
    optuna = import_optuna()
    study = optuna.create_study(direction="maximize" if plan.maximize else "minimize")
    axes = {key: distribution_of(optuna, plan.space.axes[key]) for key in varied}
    for one in known:
        values = {key: one.values[key] for key in varied}
        study.add_trial(optuna.trial.create_trial(params=values, distributions=axes, value=one.value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=evaluator)
    total = sum(found.values())
    return {key: float(share / total) for key, share in found.items()} if total > 0 else {}
