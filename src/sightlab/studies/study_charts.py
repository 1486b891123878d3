"""The figures of a study's page: learning curves, grids as heat maps, networks as tables and diagrams."""

from __future__ import annotations

from collections.abc import Mapping

from sightlab import charts
from sightlab.lens.diagram import diagram
from sightlab.lens.layer_table import layer_table
from sightlab.lens.layers import side
from sightlab.lens.structure import Structure, structure
from sightlab.report.article import Block, Picture, Section, Table, Text
from sightlab.studies.parts.dead_outputs import dead_at_end
from sightlab.studies.study_results import FORMS, GridResult, Results, RowResult, last_loss
from sightlab.studies.study_schema import Grid, slug


def curve_pictures(results: Results) -> tuple[Block, ...]:
    """Loss and accuracy of the rows: those as published, the repaired and quick ones, and the scaled ones by data."""
    pictures = []
    for name, (words, rows) in rows_together(results).items():
        runs = [(row.planned.row.name, one.run.epochs) for row in rows for one in row.runs]
        label = f"Loss and accuracy of each network {words}, over epochs and over time"
        caption = f"The networks {words}: training thin, validation bold."
        pictures.append(Picture(f"curves-{name}", charts.svg_of(charts.comparison_curves(runs)), label, caption))
    return tuple(pictures)


def rows_together(results: Results) -> dict[str, tuple[str, list[RowResult]]]:
    """The rows that share a figure, by its name: what they are in words, and the rows that have runs."""
    found: dict[str, tuple[str, list[RowResult]]] = {}
    for row in filter(lambda one: one.runs, results.rows):
        form, source = row.planned.row.form, row.planned.jobs[0].recipe.data.source
        if form == "scaled":
            name, words = slug(source), f"on {source}"
        elif form == "published":
            name, words = form, FORMS[form]
        else:
            name, words = "repaired", f"{FORMS['repaired']} and {FORMS['fast']}"
        found.setdefault(name, (words, []))[1].append(row)
    return found


def grid_blocks(grid: GridResult) -> tuple[Block, ...]:
    """A grid as published and as trained here; the curves of its best cells, and of the best one."""
    planned = grid.planned.grid
    blocks: list[Block] = [Text(f"{planned.name}. {grid.planned.note}".strip())]
    if planned.published:
        blocks.append(published_map(planned))
    here = [
        charts.Cell(x, y, last_loss(one), f"{one.result.score.accuracy:.1%}{dead_words(dead_at_end(one))}")
        for (x, y), one in grid.cells.items()
    ]
    here += [charts.Cell(x, y, None, "diverged") for x, y in grid.diverged]
    heat = charts.grid_heat(here, planned.x.key, planned.y.key, "Here: validation loss (nats)", min, 4)
    label = f"Heat map of {planned.name}: validation loss of each cell"
    caption = "Validation loss after the last epoch; below it the test accuracy, and how many outputs are dead."
    blocks.append(Picture(planned.id, charts.svg_of(heat), label, caption))
    best = grid.best(planned.best)
    runs = [(f"{planned.x.key} {x}, {planned.y.key} {y}", one.run.epochs) for (x, y), one in best]
    label = f"Loss and accuracy of the best {len(best)} cells of {planned.name}"
    caption = f"The {len(best)} cells with the lowest validation loss."
    blocks.append(Picture(f"{planned.id}-best", charts.svg_of(charts.comparison_curves(runs)), label, caption))
    (x, y), first = best[0]
    label = f"Learning curves of the best cell of {planned.name}"
    low, high = first.result.score.interval
    caption = (
        f"The best cell by validation loss, {planned.x.key} {x} and {planned.y.key} {y}: test accuracy "
        f"{first.result.score.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}, one seed)."
    )
    blocks.append(
        Picture(f"{planned.id}-first", charts.svg_of(charts.learning_curves(first.run.epochs)), label, caption)
    )
    return tuple(blocks)


def published_map(planned: Grid) -> Picture:
    """A grid's published figures as a heat map."""
    what = planned.published_of or "published"
    best = max if "accuracy" in what else min
    cells = [charts.Cell(x, y, figure) for (x, y), figure in planned.published_cells.items()]
    heat = charts.grid_heat(cells, planned.x.key, planned.y.key, f"Published: {what}", best, 4)
    return Picture(f"{planned.id}-published", charts.svg_of(heat), f"Heat map of the published figures: {what}")


def dead_words(count: int) -> str:
    """The number of dead outputs in words, "" for none."""
    return f", {count} dead" if count else ""


def network_sections(networks: Mapping[str, tuple[int, int, int]]) -> list[Section]:
    """The layers and the diagram of each network of the study."""
    return [network_section(structure(name, shape)) for name, shape in networks.items()]


def network_section(found: Structure) -> Section:
    """A network's layers with a window or with weights, its totals, and its diagram."""
    shown = [layer for layer in found.layers if layer.weighted or layer.window]
    channels, height, width = found.shape
    sees = f"; a place of the last map sees {side(found.receptive_field)} pixels" if found.receptive_field else ""
    words = (
        f"{found.parameters:,} parameters and {found.macs / 1e6:,.1f} million multiply-adds for an image of "
        f"{channels} x {height} x {width}, {found.depth} layers deep{sees}."
    )
    header, rows, numeric = layer_table(shown, without=("mult-adds", "jump"))
    folded = f"All {len(shown)} layers"
    table = Table(header, rows, right=numeric, folded=folded)
    label = f"Diagram of {found.model}: its blocks, skips and sizes"
    picture = Picture(f"network-{found.model}", diagram(found), label)
    return Section(f"The network {found.model}", (Text(words), table, picture))
