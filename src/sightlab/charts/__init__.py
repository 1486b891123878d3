"""Records into charts: one definition for PNG, SVG and HTML.

Each chart is made in two steps: a function that collects its rows (plain values, easy to test) and one that draws
them with Altair. Altair and vl-convert are imported when a chart is drawn, not with this room.
"""

from sightlab.charts.changes import change_rows, class_changes
from sightlab.charts.classes import class_bars, class_rows
from sightlab.charts.confusions import confusion, confusion_rows, confusion_shares
from sightlab.charts.costs import COSTS, pareto, pareto_rows
from sightlab.charts.curves import curve_rows, learning_curves
from sightlab.charts.first_answers import top_k_curve, top_k_rows
from sightlab.charts.gains import difference_rows, differences
from sightlab.charts.grids import Cell, grid_heat, grid_rows
from sightlab.charts.importances import importance_rows, importances
from sightlab.charts.looks import printable, short_names
from sightlab.charts.ranges import learning_rates, range_rows
from sightlab.charts.reliabilities import reliability, reliability_rows
from sightlab.charts.saving import save_chart, save_svg, svg_of, write_whole
from sightlab.charts.searches import (
    ParameterAxis,
    Tried,
    cost_rows,
    cost_scores,
    line_rows,
    loss_rows,
    parallel_coordinates,
    trial_losses,
)
from sightlab.charts.shared_curves import comparison_curves, comparison_rows

__all__ = [
    "COSTS",
    "Cell",
    "ParameterAxis",
    "Tried",
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
    "parallel_coordinates",
    "pareto",
    "pareto_rows",
    "printable",
    "range_rows",
    "reliability",
    "reliability_rows",
    "save_chart",
    "save_svg",
    "short_names",
    "svg_of",
    "top_k_curve",
    "top_k_rows",
    "trial_losses",
    "write_whole",
]
