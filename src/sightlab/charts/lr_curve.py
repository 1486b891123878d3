"""The loss against the learning rate, from an LR range test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightlab.charts.learning_curves import log_ticks
from sightlab.charts.theme import BLUE, INK, QUIET, TOP_LEVEL

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 520, 260
HIGHEST = 2.0  # the axis ends at this multiple of the first loss: anything above has diverged


def lr_rows(lrs: Sequence[float], losses: Sequence[float]) -> list[dict[str, float]]:
    """A row a step: {lr, loss}. Raises ValueError when there is no step, or not a loss for each learning rate."""
    if not lrs or len(lrs) != len(losses):
        raise ValueError(f"{len(lrs)} learning rates and {len(losses)} losses; each step needs both, and there is one")
    return [{"lr": float(lr), "loss": float(loss)} for lr, loss in zip(lrs, losses, strict=True)]


def learning_rates(lrs: Sequence[float], losses: Sequence[float], suggestion: float) -> alt.LayerChart:
    """The loss (a running mean) at each learning rate, on a log scale, with the suggestion marked.

    Raises ValueError when there is nothing to draw.
    """
    import altair as alt

    rows = lr_rows(lrs, losses)
    top = max(min(max(losses), HIGHEST * losses[0]), losses[0] * 1.02)
    x = alt.X(
        "lr:Q",
        title="learning rate, log scale",
        scale=alt.Scale(type="log", nice=False, padding=6),
        axis=alt.Axis(values=log_ticks(min(lrs), max(lrs)), format="~g", grid=False),
    )
    y = alt.Y(
        "loss:Q",
        title="training loss (nats), running mean",
        scale=alt.Scale(domain=[min(losses) * 0.95, top], clamp=True, nice=False),
        axis=alt.Axis(tickCount=6),
    )
    line = alt.Chart({"values": rows}).mark_line(color=BLUE, strokeWidth=2, clip=True).encode(x=x, y=y)
    label = f"suggestion: lr={suggestion:.2g}"
    mark = alt.Chart({"values": [{"lr": suggestion, "label": label}]}).encode(x=x)
    rule = mark.mark_rule(color=QUIET, strokeWidth=1, strokeDash=[2, 2])
    text = mark.mark_text(align="left", baseline="bottom", dx=4, fontSize=11, color=INK).encode(
        text=alt.Text("label:N"), y=alt.value(-5)
    )
    return alt.LayerChart(layer=[line, rule, text]).properties(width=WIDTH, height=HEIGHT, **TOP_LEVEL)
