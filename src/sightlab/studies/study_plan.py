"""Plans a study at a scale: one recipe for each row, cell and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightlab.errors import ModelError, RecipeError, StudyError, suggestion
from sightlab.models.names import check_name
from sightlab.recipes.keys import full_key
from sightlab.recipes.overrides import changed
from sightlab.recipes.schema import Recipe
from sightlab.report.analysis_page import CHARTS
from sightlab.studies.study_files import scale_of
from sightlab.studies.study_schema import Grid, Looks, Named, Row, RowAt, Scale, Study, Subject, slug

AS_IS = RowAt()
Value = float | int | str


@dataclass(frozen=True, eq=False)
class Job:
    """One training. processes: of torchrun, which share each batch; 1 for a plain training."""

    recipe: Recipe
    processes: int = 1


@dataclass(frozen=True)
class PlannedRow:
    """A row of the table and its trainings, one for each seed. note: of the row and of its scale."""

    row: Row
    jobs: tuple[Job, ...]
    note: str


@dataclass(frozen=True)
class PlannedGrid:
    """A grid and its cells: {(x, y): training}, x first, one seed each. xs, ys: the values at this scale, in order."""

    grid: Grid
    xs: tuple[Value, ...]
    ys: tuple[Value, ...]
    cells: Mapping[tuple[Value, Value], Job]
    note: str


@dataclass(frozen=True)
class PlannedLooks:
    """Some analyses, and the rows and subjects that they are made of at this scale. images: the most looked at."""

    looks: Looks
    of: tuple[PlannedRow | Subject, ...]
    images: int


@dataclass(frozen=True)
class CsvFiles:
    """The files of a study that reads its data from CSV.

    source: of the images; rows: the first so many of each split. train: what is trained on. hidden: not read before
    the end.
    """

    source: str
    rows: int | None
    train: Path
    hidden: Path


@dataclass(frozen=True)
class Plan:
    """What a study trains at a scale. data: the source of its images. csv: its files, None without CSV."""

    study: Study
    scale: str
    says: str
    data: str
    rows: tuple[PlannedRow, ...]
    grids: tuple[PlannedGrid, ...]
    csv: CsvFiles | None = None
    analyses: tuple[PlannedLooks, ...] = ()

    @property
    def jobs(self) -> list[Job]:
        """Every training, each once, in the order of the table; a grid's cells come last."""
        all_of_them = [job for row in self.rows for job in row.jobs]
        all_of_them += [job for grid in self.grids for job in grid.cells.values()]
        return list({(job.recipe.hash, job.processes): job for job in all_of_them}.values())

    @property
    def left_out(self) -> list[str]:
        """The names of rows, grids, subjects and groups of analyses that the scale leaves out."""
        here = {one.row.id for one in self.rows} | {one.grid.id for one in self.grids}
        here |= {one.looks.id for one in self.analyses} | {id_of(one) for looks in self.analyses for one in looks.of}
        study = self.study
        named: tuple[Named, ...] = (*study.rows, *study.grids, *study.subjects, *study.analyses)
        return [one.name for one in named if one.id not in here]


def plan_study(study: Study, scale_name: str, home: Path, *, data: str | None = None, seeds: int | None = None) -> Plan:
    """What a study trains at a scale.

    home: where its runs are kept, and its CSV files. data: a source instead of the study's own. seeds: of every row,
    instead of the scale's; a grid's cells have one. Raises StudyError for a scale that does not exist, or a key or a
    value that does not fit a recipe.
    """
    scale = scale_of(study, scale_name)
    if seeds is not None and seeds < 1:
        raise StudyError(f"--seeds {seeds}: at least one seed is needed")
    source = data or scale.data or study.data
    csv = csv_files(source, scale.csv_rows, home) if study.csv else None
    trained_on = str(csv.train) if csv else source
    base = with_keys(study, Recipe(), [{"data.source": trained_on}, study.base, scale.set], "base")
    rows = tuple(planned_row(study, scale, row, base, seeds) for row in study.rows if row.id not in scale.leave_out)
    grids = tuple(planned_grid(study, scale, grid, base) for grid in study.grids if grid.id not in scale.leave_out)
    if not rows and not grids:
        raise StudyError(f"study {study.name}: scale {scale_name} leaves out every row")
    looks = tuple(planned for one in study.analyses if (planned := planned_looks(study, scale, one, rows)) is not None)
    return Plan(study, scale_name, scale.says, source, rows, grids, csv, looks)


def id_of(one: PlannedRow | Subject) -> str:
    """The id of a row or a subject."""
    return one.row.id if isinstance(one, PlannedRow) else one.id


def planned_looks(study: Study, scale: Scale, looks: Looks, rows: Sequence[PlannedRow]) -> PlannedLooks | None:
    """A group of analyses at a scale; None where nothing of it is left. Raises StudyError for an unknown analysis."""
    for name in looks.only:
        if name not in CHARTS:
            raise StudyError(f"study {study.name}, {looks.id}: unknown analysis {name!r}; {suggestion(name, CHARTS)}")
    all_of_them: tuple[PlannedRow | Subject, ...] = (*rows, *study.subjects)
    there = {id_of(one): one for one in all_of_them if id_of(one) not in scale.leave_out}
    of = tuple(there[id_] for id_ in looks.of if id_ in there)
    most = min(looks.images, scale.images or looks.images)
    return None if looks.id in scale.leave_out or not of else PlannedLooks(looks, of, most)


def csv_files(source: str, rows: int | None, home: Path) -> CsvFiles:
    """The paths of a source's CSV files."""
    name = slug(Path(source).name.partition(".")[0] or source)
    size = f"-{rows}" if rows else ""
    folder = home / "data"
    return CsvFiles(source, rows, folder / f"{name}-train{size}.csv", folder / f"{name}-hidden{size}.csv")


def planned_row(study: Study, scale: Scale, row: Row, base: Recipe, seeds: int | None) -> PlannedRow:
    """A row's recipes at a scale."""
    here = scale.rows.get(row.id, AS_IS)
    recipe = with_keys(study, base, [row.set, here.set], row.id)
    count = seeds or here.seeds or scale.seeds
    jobs = tuple(Job(changed(recipe, {"seed": recipe.seed + extra}), row.processes) for extra in range(count))
    return PlannedRow(row, jobs, " ".join(filter(None, [row.note, here.note])))


def planned_grid(study: Study, scale: Scale, grid: Grid, base: Recipe) -> PlannedGrid:
    """A grid's cells at a scale."""
    here = scale.rows.get(grid.id, AS_IS)
    recipe = with_keys(study, base, [grid.set, here.set], grid.id)
    xs, ys = here.x or grid.x.values, here.y or grid.y.values
    cells = {
        (x, y): Job(with_keys(study, recipe, [{grid.x.key: x, grid.y.key: y}], f"{grid.id}-{x}-{y}"))
        for y in ys
        for x in xs
    }
    return PlannedGrid(grid, xs, ys, cells, here.note)


def with_keys(study: Study, recipe: Recipe, layers: Sequence[Mapping[str, Any]], part: str) -> Recipe:
    """The recipe with these keys, later layers overriding earlier ones. Raises StudyError naming the part."""
    values: dict[str, Any] = {}
    try:
        for layer in layers:
            values |= {full_key(key): value for key, value in layer.items()}
        found = changed(recipe, {**values, "name": f"{study.name}-{part}"[:80]})
        check_name(found.model.name)
    except (RecipeError, ModelError) as error:
        raise StudyError(f"study {study.name}, {part}: {error}") from error
    return found
