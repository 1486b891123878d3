"""Reads studies from YAML: the built-in ones, and files of the user."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from sightlab.errors import StudyError, one_line, suggestion
from sightlab.recipes.yaml_files import is_file_name, mapping_of, read_text
from sightlab.studies.study_schema import Scale, Study


def shipped_studies() -> list[str]:
    """The names of the built-in studies, in the order of the projects they repeat."""
    folder = resources.files("sightlab") / "studies" / "published"
    names = [file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")]
    return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


ORDER = (
    "kmnist-mini-resnet",
    "fashion-csv",
    "cifar10-resnet34",
    "mnist-m-resnet18-cut",
    "cifar100-senet",
    "cifar100-timm",
    "cifar100-senet-scaled",
    "cifar100-timm-scaled",
    "cnn-vit",
)


def read_study(name: str) -> Study:
    """The study of this name, or in the YAML file at this path. Raises StudyError, one line."""
    path = Path(name)
    if is_file_name(name):
        return parse_study(read_text(path, "study", StudyError), str(path))
    if name not in shipped_studies():
        raise StudyError(f"unknown study {name!r}; {suggestion(name, shipped_studies())}")
    file = resources.files("sightlab") / "studies" / "published" / f"{name}.yaml"
    return parse_study(file.read_text(encoding="utf-8"), f"study {name}")


def parse_study(text: str, where: str) -> Study:
    """The study in a YAML text. where: how errors name its place. Raises StudyError."""
    what = "a study is a mapping of keys such as `question:` and `rows:`"
    values = mapping_of(text, where, what, StudyError)
    try:
        return Study.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = suggestion(str(first["loc"][-1]), Study.model_fields) if len(first["loc"]) == 1 else "leave it out"
            raise StudyError(f"{where}: unknown key {place!r}; {known}") from error
        message = one_line(first["msg"].removeprefix("Value error, "))
        shown = f"{place}: " if place else ""
        raise StudyError(f"{where}: {shown}{message[:1].lower()}{message[1:]}") from error


def scale_of(study: Study, name: str) -> Scale:
    """A study's scale. Raises StudyError for one that it does not have."""
    for own, scale in study.scales.items():
        if own == name:
            return scale
    raise StudyError(f"study {study.name} has no scale {name!r}; it has {', '.join(study.scales)}")
