"""Charts of records: one definition for PNG, SVG and HTML.

Each chart is made in two steps: one function collects its rows (plain values, easy to test), another draws them with
Altair. Altair and vl-convert are imported when a chart is drawn, not when this package is imported.
"""

from sightlab.charts.accuracy_cost import COSTS, pareto, pareto_rows
from sightlab.charts.class_accuracy import class_bars, class_rows
from sightlab.charts.class_changes import change_rows, class_changes
from sightlab.charts.confusion import confusion, confusion_rows, confusion_shares
from sightlab.charts.differences import difference_rows, differences
from sightlab.charts.heatmap import Cell, grid_heat, grid_rows
from sightlab.charts.learning_curves import curve_rows, learning_curves
from sightlab.charts.lr_curve import learning_rates, lr_rows
from sightlab.charts.parameter_importance import importance_rows, importances
from sightlab.charts.reliability import reliability, reliability_rows
from sightlab.charts.save import save_chart, save_svg, svg_of, write_file
from sightlab.charts.shared_curves import comparison_curves, comparison_rows
from sightlab.charts.theme import printable, short_names
from sightlab.charts.topk import top_k_curve, top_k_rows
from sightlab.charts.tuning import (
    ParameterAxis,
    TrialSummary,
    cost_rows,
    cost_scores,
    line_rows,
    loss_rows,
    parallel_coordinates,
    trial_losses,
)

__all__ = [
    "COSTS",
    "Cell",
    "ParameterAxis",
    "TrialSummary",
    "change_rows",
    "class_bars",
    "class_changes",
    "class_rows",
    "comparison_curves",
    "comparison_rows",
    "confusion",
    "confusion_rows",
    "confusion_shares",
    "cost_rows",
    "cost_scores",
    "curve_rows",
    "difference_rows",
    "differences",
    "grid_heat",
    "grid_rows",
    "importance_rows",
    "importances",
    "learning_curves",
    "learning_rates",
    "line_rows",
    "loss_rows",
    "lr_rows",
    "parallel_coordinates",
    "pareto",
    "pareto_rows",
    "printable",
    "reliability",
    "reliability_rows",
    "save_chart",
    "save_svg",
    "short_names",
    "svg_of",
    "top_k_curve",
    "top_k_rows",
    "trial_losses",
    "write_file",
]
