"""A recipe's hash: equal for recipes that describe the same result, whatever else they say."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightlab.recipes.schema import Recipe

NOT_OF_THE_RESULT = {"name", "notes", "format", "test_flips", "log"}
UNREAD_BY_OPTIMIZER = {
    "sgd": ("betas", "eps", "adamw_lr_factor"),
    "adam": ("momentum", "nesterov", "adamw_lr_factor"),
    "adamw": ("momentum", "nesterov", "adamw_lr_factor"),
    "lion": ("momentum", "nesterov", "eps", "adamw_lr_factor"),
    "lamb": ("momentum", "nesterov", "adamw_lr_factor"),
}
UNREAD_BY_SCHEDULE = {
    "constant": ("step_epochs", "gamma", "final_factor", "peak_at"),
    "step": ("final_factor", "peak_at"),
    "exponential": ("step_epochs", "final_factor", "peak_at"),
    "cosine": ("step_epochs", "gamma", "peak_at"),
    "one-cycle": ("step_epochs", "gamma"),
}
UNREAD_BY_AVERAGING = {
    "none": ("decay", "warmup_power", "every", "alpha"),
    "ema": ("every", "alpha"),
    "lookahead": ("decay", "warmup_power"),
}
UNREAD_WITHOUT_TEACHER = ("teacher", "temperature", "alpha")


def hash_of(recipe: Recipe) -> str:
    """Sixteen hex digits; `Recipe.hash` says of what."""
    values = recipe.model_dump(mode="json", exclude=NOT_OF_THE_RESULT, exclude_defaults=True)
    for group, keys in unread_by(recipe).items():
        kept = {key: value for key, value in values.pop(group, {}).items() if key not in keys}
        if kept:
            values[group] = kept
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def unread_by(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """The keys that this recipe's training does not read, by their group."""
    schedule = UNREAD_BY_SCHEDULE[recipe.schedule.name]
    return {
        "optimizer": UNREAD_BY_OPTIMIZER.get(recipe.optimizer.name, ()),
        "schedule": (*schedule, "warmup_factor") if recipe.schedule.warmup_epochs == 0 else schedule,
        "averaging": UNREAD_BY_AVERAGING[recipe.averaging.name],
        "distillation": () if recipe.distillation.asks else UNREAD_WITHOUT_TEACHER,
    }
