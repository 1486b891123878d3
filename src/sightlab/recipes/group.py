"""What the groups of a recipe's keys have in common, and the parts among them: groups that a name decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from sightlab.parts.registry import check_part_name

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]

STORED = "stored"  # validation context: a recipe that a run was trained with, which is read whatever is installed now


class Group(BaseModel):
    """Keys that belong together: frozen, unknown ones refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    short_for: ClassVar[str] = ""
    always_hashed: ClassVar[Collection[str]] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """`data: kmnist` stands for `data: {source: kmnist}`."""
        return {cls.short_for: value} if cls.short_for and isinstance(value, str) else value

    @property
    def unused(self) -> Collection[str]:
        """Keys that the values of the other keys leave without effect; the recipe's hash leaves them out."""
        return ()


class Part(Group):
    """A group whose keys depend on its name, such as the settings of one optimizer. Null is a key's own default."""

    short_for = "name"
    # Keys that every part of the group held before each had its own, with their defaults then: recipes written at that
    # time still name them.
    once_shared: ClassVar[Mapping[str, Any]] = {}
    name: str

    @model_validator(mode="before")
    @classmethod
    def _own_keys(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        kept = {key: given for key, given in value.items() if given is not None}
        for key in cls.once_shared.keys() - cls.model_fields.keys():
            if key in kept and (is_stored(info) or kept[key] == cls.once_shared[key]):
                del kept[key]
        return kept


class CustomPart(Part):
    """A part of the user's own. name: `path/to/file.py:Name`, or what an installed package registers.

    options: plain values that the part takes as keyword arguments.
    """

    slot: ClassVar[str]
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known_part(cls, name: str, info: ValidationInfo) -> str:
        if not is_stored(info):
            check_part_name(cls.slot, name)
        return name

    @field_validator("options")
    @classmethod
    def _plain_values(cls, options: dict[str, Any]) -> dict[str, Any]:
        return plain_options(options)


def is_stored(info: ValidationInfo) -> bool:
    """Whether the recipe that is being validated is one that a run was trained with."""
    return bool(info.context and info.context.get(STORED))


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options, once each is a number, a text, a boolean or a list of these. Raises ValueError."""
    for key, value in options.items():
        values = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(one, bool | int | float | str) for one in values):
            raise ValueError(f"option {key} must be a number, a text, true, false or a list of these")
    return options


def listed(value: Any) -> Any:
    """`cat,dog` as the tuple of the two; null as an empty one."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    return () if value is None else value
