"""Layouts of annotation tools: COCO, Label Studio and CVAT exports with one class per picture."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sightlab.data.formats.file_io import opened
from sightlab.data.inventory import Inventory
from sightlab.data.layouts.claim import Claim, Layout, ReadOptions
from sightlab.data.layouts.list_source import ListSource, list_source
from sightlab.data.layouts.listed import Listed, read_sheet
from sightlab.data.layouts.lists import claim_of_lists
from sightlab.data.messages import shortened
from sightlab.data.pictures.suffixes import is_picture_name, suffix_of
from sightlab.data.tables.column_search import place_of
from sightlab.data.tables.finder import as_path
from sightlab.data.tables.json_sheet import cell_of, document_of, is_json
from sightlab.data.tables.list_names import split_of_list
from sightlab.data.tables.sheet import Sheet
from sightlab.errors import DataError, one_line

HEADING = ("file_name", "label")
COCO_KEYS = frozenset(("images", "annotations", "categories"))
Row = tuple[int, tuple[str, ...]]
Rows = tuple[list[Row], tuple[str, ...], tuple[str, ...]]
"""The rows, the classes in their order, and notes."""


def matches_coco(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of COCO's JSON whose annotations are of one category each."""
    return None if options.label else claim_of("coco", inventory, options, coco_rows, "json")


def matches_label_studio(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of Label Studio's JSON with the one choice of each."""
    return claim_of(
        "label-studio", inventory, options, lambda one, shown: studio_rows(one, shown, options.label), "json"
    )


def matches_cvat(inventory: Inventory, options: ReadOptions) -> Claim | None:
    """The pictures of CVAT's XML with the one tag of each."""
    return None if options.label else claim_of("cvat", inventory, options, cvat_rows, "xml")


def claim_of(
    layout: str,
    inventory: Inventory,
    options: ReadOptions,
    rows_of: Callable[[Any, str], Rows | None],
    suffix: str,
) -> Claim | None:
    """The claim of the exports that `rows_of` reads, several of them as one set."""
    if options.label_from or options.shape:
        return None
    source = list_source(inventory, options)
    names = [name for name in source.lists if suffix_of(name) == suffix] if source else []
    if source is None or not names:
        return None
    found = [exported(source, name, options, rows_of) for name in names]
    lists = [one for one in found if one is not None]
    return claim_of_lists(layout, source, lists, options) if lists else None


def exported(
    source: ListSource, name: str, options: ReadOptions, rows_of: Callable[[Any, str], Rows | None]
) -> Listed | None:
    """What one export says; None for another form."""
    inventory = source.inventory
    try:
        document = xml_of(inventory, name) if suffix_of(name) == "xml" else json_of(inventory, name)
        rows = None if document is None else rows_of(document, inventory.shown(name))
    except MeaningError as error:
        return Listed(name, problem=one_line(error))
    except DataError:
        return None
    if rows is None:
        return None
    place = replace(place_of(name, split_of_list(name)), column="image")
    sheet = Sheet(name, inventory.shown(name), rows[0], HEADING, "entry", notes=rows[2])
    listed = read_sheet(inventory, sheet, place, replace(options, label="label", split=None), chosen=True)
    return None if listed is None else replace(listed, order=rows[1])


class MeaningError(DataError):
    """An export of the form that is known, which says more or less than one class a picture."""


def json_of(inventory: Inventory, name: str) -> Any:
    """What a JSON file holds; None where it is none, or lines. Raises DataError."""
    file = inventory.file(name)
    found = document_of(file, inventory.encoding) if is_json(name, file.head(64)) else None
    return None if found is None or found[1] else found[0]


def xml_of(inventory: Inventory, name: str) -> Any:
    """The root of an XML file; None where it is none, or declares entities, which data have no need of."""
    file = inventory.file(name)
    with opened(file) as (stream, _):
        data = stream.read()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None
    try:
        return ET.fromstring(data)  # noqa: S314 - without a document type there are no entities to expand
    except ET.ParseError as error:
        raise DataError(f"{file}: is not whole XML: {one_line(error)[:80]}") from error


def coco_rows(document: Any, shown: str) -> Rows | None:
    """(picture, category) of each image of COCO's. Raises MeaningError for one of several categories."""
    if not isinstance(document, dict) or not document.keys() >= COCO_KEYS:
        return None
    images, annotations, categories = (objects(document[key]) for key in ("images", "annotations", "categories"))
    names = {one["id"]: str(one.get("name")) for one in categories if is_id(one.get("id"))}
    found: dict[Any, str] = {}
    files = {one["id"]: str(one["file_name"]) for one in images if is_id(one.get("id")) and "file_name" in one}
    for one in annotations:
        image, category = one.get("image_id"), one.get("category_id")
        if not (is_id(image) and is_id(category) and category in names):
            ids = f"image {one_line(image)[:40]} has category_id {one_line(category)[:40]}"
            raise MeaningError(f"{shown}: an annotation of {ids}, which is none")
        if image in files and found.setdefault(image, names[category]) != names[category]:
            raise MeaningError(several(shown, files[image], found[image], names[category]))
    rows: list[Row] = [(place, (files[image], found[image])) for place, image in enumerate(files, 1) if image in found]
    order = tuple(names[key] for key in sorted(names, key=lambda key: (not isinstance(key, int), key)))
    return rows, order, bare_note(shown, len(files) - len(rows))


def is_id(value: Any) -> bool:
    """Whether a value of JSON can be the id of something."""
    return isinstance(value, int | str)


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of an array of JSON."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def several(shown: str, file: str, one: str, two: str) -> str:
    """The line on a picture of two classes."""
    return (
        f"{shown}: `{shortened(file)}` is of the classes `{one[:40]}` and `{two[:40]}`; sightlab reads "
        "one class a picture (multi-label and detection are not read)"
    )


def bare_note(shown: str, count: int) -> tuple[str, ...]:
    """A line on pictures without an annotation."""
    name = shown.replace("\\", "/").rpartition("/")[2]
    return (f"{name}: {count:,} {'picture' if count == 1 else 'pictures'} without a class ignored",) if count else ()


def studio_rows(document: Any, shown: str, asked: str | None) -> Rows | None:
    """(picture, choice) of each task of Label Studio's. Raises MeaningError for one of several choices."""
    tasks = objects(document)
    if not tasks or not all(isinstance(task.get("data"), dict) for task in tasks):
        return None
    if not any(isinstance(task.get(key), list) for task in tasks for key in ("annotations", "completions")):
        return None
    rows: list[Row] = []
    for place, task in enumerate(tasks, 1):
        choice = choice_of(task, shown, picture_of(task["data"]), asked)
        if choice:
            rows.append((place, (picture_of(task["data"]), choice)))
    return rows, (), bare_note(shown, len(tasks) - len(rows))


def picture_of(data: Mapping[str, Any]) -> str:
    """The picture that a task shows."""
    texts = [value for value in data.values() if isinstance(value, str)]
    return next((text for text in texts if is_picture_name(as_path(text))), str(data.get("image", "")))


def choice_of(task: Mapping[str, Any], shown: str, file: str, asked: str | None) -> str:
    """The one choice of all annotators of a task; "" where there is none. Raises MeaningError for several."""
    found: dict[str, str] = {}
    for control, choice in choices(task):
        if asked in (None, control) and found.setdefault(control, choice) != choice:
            raise MeaningError(several(shown, file, found[control], choice))
    if len(found) > 1:
        one, two = list(found)[:2]
        raise MeaningError(f"{shown}: `{one[:40]}` or `{two[:40]}` could be the label; say which, as in `label={one}`")
    return next(iter(found.values()), "")


def choices(task: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(control, choice) of each choice that an annotation of a task, not cancelled, has made."""
    for annotation in objects(task.get("annotations") or task.get("completions")):
        if annotation.get("was_cancelled"):
            continue
        for result in objects(annotation.get("result")):
            value = result.get("value")
            made = value.get("choices") if isinstance(value, dict) else None
            for choice in made if isinstance(made, list) else ():
                yield str(result.get("from_name", "")), cell_of(choice)


def cvat_rows(root: Any, shown: str) -> Rows | None:
    """(picture, tag) of each image of CVAT's. Raises MeaningError for one of several tags."""
    if root.tag != "annotations" or root.find("image") is None:
        return None
    images = root.findall("image")
    rows: list[Row] = []
    for place, image in enumerate(images, 1):
        tags = list(dict.fromkeys(tag.get("label", "") for tag in image.findall("tag")))
        if len(tags) > 1:
            raise MeaningError(several(shown, image.get("name", ""), tags[0], tags[1]))
        if tags and tags[0]:
            rows.append((place, (image.get("name", ""), tags[0])))
    if not rows:
        raise MeaningError(f"{shown}: its images have no tags, so no class for the whole picture; tag them in CVAT")
    order = tuple(label.findtext("name", "") for label in root.iter("label") if label.find("name") is not None)
    return rows, order, bare_note(shown, len(images) - len(rows))


COCO = Layout(
    "coco",
    "COCO's JSON with one category a picture",
    """
    pets/
      annotations.json    {"images": [...], "annotations": [...], "categories": [...]}
      images/ 1.jpg  2.jpg
    """,
    matches_coco,
)
LABEL_STUDIO = Layout(
    "label-studio",
    "Label Studio's JSON with one choice a picture",
    """
    pets/
      project-1.json      [{"data": {"image": ...}, "annotations": [...]}]
      images/ 3f2a-1.jpg  77b0-2.jpg
    """,
    matches_label_studio,
)
CVAT = Layout(
    "cvat",
    "CVAT's XML with one tag a picture",
    """
    pets/
      annotations.xml     <image name="1.jpg"><tag label="cat"/></image>
      images/ 1.jpg  2.jpg
    """,
    matches_cvat,
)
LAYOUTS: Sequence[Layout] = (COCO, LABEL_STUDIO, CVAT)
