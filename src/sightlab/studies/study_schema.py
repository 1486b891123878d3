"""A study: a question, recipes that answer it, the published figures, and what each scale does with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from sightlab.recipes.group import Group

FORMAT = 1
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
Form = Literal["published", "repaired", "fast", "scaled"]
ScaleName = Literal["smoke", "laptop", "full"]
Keys = dict[str, Any]


class Part(Group):
    """A group of keys of a study; they are not keys of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Named(Part):
    """A part of a study that others name. id: short, unique. name: what the page calls it."""

    id: Slug
    name: str


class Figures(Part):
    """The published figures of a row. Accuracies in [0, 1].

    time: as the study gives it. of: what the accuracy is of. by_epoch: (training, test) accuracy after each epoch.

    >>> Figures(accuracy=0.4341, of="test, the best of 10 epochs").accuracy
    0.4341
    """

    accuracy: Annotated[float, Field(ge=0, le=1)] | None = None
    top5: Annotated[float, Field(ge=0, le=1)] | None = None
    loss: Annotated[float, Field(ge=0)] | None = None
    parameters: str = ""
    time: str = ""
    of: str = "test"
    by_epoch: tuple[tuple[float, float], ...] = ()


class Row(Named):
    """One line of the study's table: a recipe, trained with one seed or several.

    form: published (its mistakes kept), repaired (the same
    question without them), fast (the quickest good answer on two cores), or scaled (the same comparison at a size that
    two cores can answer). twin: the id of its baseline, the row
    that it is compared with, image by image. set: keys of its recipe, as the command line has them. processes: that
    share each batch over gloo or NCCL, started by torchrun; 1 for none. note: what a reader of the table must know.
    """

    form: Form
    twin: Slug | None = None
    set: Keys = Field(default_factory=dict)
    figures: Figures = Figures()
    processes: Annotated[int, Field(ge=1, le=64)] = 1
    note: str = ""


class Axis(Part):
    """One key of a grid and its values, in order."""

    key: str
    values: Annotated[tuple[float | int | str, ...], Field(min_length=1)]


class Grid(Named):
    """Every pair of two keys' values.

    published: a figure for each, a list for each value of y; published_of: what it is. best: how many of the best cells
    have their curves drawn.
    """

    form: Form
    set: Keys = Field(default_factory=dict)
    x: Axis
    y: Axis
    published: tuple[tuple[float | None, ...], ...] = ()
    published_of: str = ""
    best: Annotated[int, Field(ge=1, le=25)] = 8

    @property
    def published_cells(self) -> dict[tuple[float | int | str, float | int | str], float | None]:
        """The published figures by cell, {(x, y): figure}; empty where there are none."""
        rows = zip(self.y.values, self.published, strict=True) if self.published else ()
        return {(x, y): figure for y, row in rows for x, figure in zip(self.x.values, row, strict=True)}

    @model_validator(mode="after")
    def _as_many_figures_as_cells(self) -> Grid:
        shape = (len(self.y.values), len(self.x.values))
        if self.published and (len(self.published), {len(line) for line in self.published}) != (shape[0], {shape[1]}):
            raise ValueError(f"published must have {shape[0]} lists of {shape[1]} figures, one for each cell")
        return self


class Subject(Named):
    """A network that others trained, to be analyzed beside the rows. model: `pretrained/NAME` or `timm/NAME`."""

    model: Annotated[str, Field(pattern=r"^(pretrained|timm)/.+")]
    note: str = ""


class Looks(Named):
    """Analyses of some rows and subjects, on the same images.

    of: ids of rows and subjects; each seed of a row is analyzed. only: names of analyses. data: labelled images;
    without it those of the rows' validation split, and subjects need it. images: the most that are looked at.
    """

    of: Annotated[tuple[Slug, ...], Field(min_length=1)]
    only: Annotated[tuple[str, ...], Field(min_length=1)]
    data: str | None = None
    images: Annotated[int, Field(ge=2)] = 1000


class RowAt(Part):
    """What a scale changes in a row or a grid. seeds: of this row alone. x, y: a grid's values at this scale."""

    set: Keys = Field(default_factory=dict)
    seeds: Annotated[int, Field(ge=1, le=100)] | None = None
    note: str = ""
    x: tuple[float | int | str, ...] | None = None
    y: tuple[float | int | str, ...] | None = None


class Scale(Part):
    """What the study does at one size. says: that, in words. set: keys of every recipe.

    leave_out: rows, grids, subjects, and groups of analyses. data: the source at this scale, where it is another.
    csv_rows: rows of each CSV that is written, where the study reads CSV. images: the most that an analysis looks at.
    """

    says: str
    data: str | None = None
    csv_rows: Annotated[int, Field(ge=100)] | None = None
    set: Keys = Field(default_factory=dict)
    seeds: Annotated[int, Field(ge=1, le=100)] = 1
    rows: dict[Slug, RowAt] = Field(default_factory=dict)
    leave_out: tuple[Slug, ...] = ()
    images: Annotated[int, Field(ge=2)] | None = None


class Claim(Part):
    """Something that the study claims of a row against another, its twin unless named.

    says: in words. least, most: the claimed difference, row less twin; at least one of them. It is of test accuracies,
    in points, or of a `figure` of an analysis, ANALYSIS.NAME, in points where it is a share and else in its own unit.
    Of a figure, row and twin may be subjects too. change_from: another figure of that analysis, whose value is taken
    from the figure's first: `change_from: accuracy` compares what each network loses. against: a number that the row is
    held against in place of a twin, such as a published figure.

    >>> Claim(says="SE adds 1 to 2 points", row="senet", least=1, most=2).least
    1.0
    """

    says: str
    row: Slug
    twin: Slug | None = None
    figure: Annotated[str, Field(pattern=r"^[a-z_]+\.[A-Za-z0-9_]+$")] | None = None
    change_from: str | None = None
    against: float | None = None
    least: Annotated[float, Field(ge=-100, le=100)] | None = None
    most: Annotated[float, Field(ge=-100, le=100)] | None = None

    @property
    def analysis(self) -> str:
        """The name of the analysis that its figure is of; "" for a claim of accuracies."""
        return (self.figure or "").partition(".")[0]

    @model_validator(mode="after")
    def _a_range(self) -> Claim:
        if self.least is None and self.most is None:
            raise ValueError("a claim has least, most, or both, in points")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"least is {self.least:g} and most {self.most:g}; least comes first")
        return self

    @model_validator(mode="after")
    def _of_a_figure(self) -> Claim:
        if self.figure is None and (self.change_from is not None or self.against is not None):
            raise ValueError("change_from and against are of a claim with a figure, such as `figure: spectrum.high`")
        if self.against is not None and self.twin is not None:
            raise ValueError("a claim has a twin or a number to be held against, not both")
        return self


class Fault(Part):
    """Something that was wrong, and how that shows."""

    what: str
    shows: str


class Study(Part):
    """A published study. name: of its file. data: the source; csv: whether it is handed over as CSV files.

    base: keys of every recipe. networks: whose structure the page shows, with (channels, height, width) of an image.
    subjects: networks that others trained, analyzed beside the rows. analyses: how the networks see. claims: what it
    claims, each held to the runs. published_images: test images behind each published accuracy. shows:
    what of the page is this study's own, names of `parts.PARTS`. contradictions: where the study's own text leaves open
    or contradicts itself, and what is taken.
    full: what the published figure would take.
    """

    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    name: Slug
    title: str
    question: str
    source: str
    data: str
    csv: bool = False
    base: Keys = Field(default_factory=dict)
    rows: Annotated[tuple[Row, ...], Field(min_length=1)]
    grids: tuple[Grid, ...] = ()
    subjects: tuple[Subject, ...] = ()
    analyses: tuple[Looks, ...] = ()
    faults: tuple[Fault, ...] = ()
    claims: tuple[Claim, ...] = ()
    networks: dict[str, tuple[int, int, int]] = Field(default_factory=dict)
    published_images: Annotated[int, Field(ge=1)] | None = None
    shows: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    scales: dict[ScaleName, Scale]
    full: str

    @field_validator("scales")
    @classmethod
    def _a_scale_at_least(cls, scales: Mapping[ScaleName, Scale]) -> Mapping[ScaleName, Scale]:
        if not scales:
            raise ValueError("has no scale; give at least one of smoke, laptop and full")
        return scales

    @model_validator(mode="after")
    def _names_that_are_there(self) -> Study:
        named: tuple[Named, ...] = (*self.rows, *self.grids, *self.subjects, *self.analyses)
        ids = [one.id for one in named]
        for place, one in enumerate(ids):
            if one in ids[:place]:
                raise ValueError(f"two rows or grids have the id {one!r}; each needs its own")
        for row in self.rows:
            if row.twin is not None and row.twin not in [other.id for other in self.rows]:
                raise ValueError(f"row {row.id}: its twin {row.twin!r} is no row; the rows are {', '.join(ids)}")
        self._check_analyses()
        for claim in self.claims:
            self._check_claim(claim)
        for name, scale in self.scales.items():
            for one in (*scale.rows, *scale.leave_out):
                if one not in ids:
                    raise ValueError(
                        f"scale {name}: {one!r} is no row, grid, subject or group; there are {', '.join(ids)}"
                    )
        return self

    def twin_of(self, claim: Claim) -> str | None:
        """The id that a claim compares its row with; None where that is a number."""
        if claim.against is not None:
            return None
        return claim.twin or next((row.twin for row in self.rows if row.id == claim.row), None)

    def _check_analyses(self) -> None:
        """Each group is of rows and subjects that are there, and has images for them."""
        rows, subjects = [row.id for row in self.rows], [one.id for one in self.subjects]
        for group in self.analyses:
            for id_ in group.of:
                if id_ not in (*rows, *subjects):
                    there = ", ".join((*rows, *subjects))
                    raise ValueError(f"analyses {group.id}: {id_!r} is no row and no subject; there are {there}")
                if id_ in subjects and group.data is None:
                    raise ValueError(f"analyses {group.id}: {id_} has no validation images; give the group `data:`")

    def _check_claim(self, claim: Claim) -> None:
        """A claim compares rows; of a figure, what one group of analyses has."""
        twin, ids = self.twin_of(claim), [*(row.id for row in self.rows), *(grid.id for grid in self.grids)]
        if claim.figure is None:
            if claim.row not in ids or twin not in ids:
                raise ValueError(f"claim {claim.says!r}: compares {claim.row} with {twin}; rows are {', '.join(ids)}")
            return
        sides = {claim.row} if claim.against is not None else {claim.row, twin}
        if not any(sides <= set(group.of) and claim.analysis in group.only for group in self.analyses):
            what = claim.row if claim.against is not None else f"{claim.row} and {twin} together"
            raise ValueError(f"claim {claim.says!r}: no group of analyses has {claim.analysis} of {what}")


def slug(text: str) -> str:
    """A text as part of a file's name.

    >>> slug("ResNet-34, 128 pixels")
    'resnet-34-128-pixels'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
