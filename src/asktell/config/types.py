"""Field types that read what people write: durations, sizes, scalars; and the problems they report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from asktell.config.quantities import format_duration, format_size, parse_duration, parse_size
from asktell.trial import Value


class Section(BaseModel):
    """Base of every part of a study file: frozen, strict, and no key that nobody knows.

    Python names carry their unit (`timeout_s`), keys in the file do not (`timeout`). Code may use
    either; the loader accepts the file's keys only.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )


@dataclass(frozen=True, slots=True)
class Heading:
    """Marks the first key of a group; the template prints `text` above it."""

    text: str


def wrong(message: str, remedy: str = "") -> PydanticCustomError:
    """An error for a validator to raise; the loader makes a `Problem` of it."""
    return PydanticCustomError(
        "asktell", "{message}{remedy}", {"message": message, "remedy": f"; {remedy}" if remedy else ""}
    )


def message_and_remedy(error: Exception) -> tuple[str, str]:
    """Our errors say what happened, then '; ' and what to do."""
    message, _, remedy = str(error).rpartition("; ")
    return (message, remedy) if message else (remedy, "")


def _read_duration(value: object) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise wrong(str(error), "write 90s, 30min, 1h30min, 2d, HH:MM:SS or a number of seconds") from None


def _read_size(value: object) -> int:
    try:
        return parse_size(value)
    except ValueError as error:
        raise wrong(str(error), "write 512MiB, 8GB or a number of bytes") from None


def _check_scalar(value: object) -> object:
    if not isinstance(value, (str, int, float, bool)):
        raise wrong(f"must be text, a number or true/false, not {describe(value)}", "put text in quotes")
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong(f"{value} is no value to choose", "write a finite number or text")
    return value


def describe(value: object) -> str:
    """The value in the words of someone who wrote it in YAML."""
    match value:
        case None:
            return "left empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {shorten(value)}"
        case list() | tuple():
            return "a list"
        case dict():
            return "a section"
    return shorten(value)


def shorten(value: object) -> str:
    """The value's repr, cut where it would fill the screen."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def as_list(value: Any) -> Any:
    """A lone value stands for a list of one."""
    return value if value is None or isinstance(value, (list, tuple)) else [value]


_DURATION_SCHEMA = {"type": ["string", "number"], "examples": ["90s", "30min", "2h", "01:30:00"]}
_SIZE_SCHEMA = {"type": ["string", "integer"], "examples": ["512MiB", "8GB"]}

Seconds = Annotated[
    float, BeforeValidator(_read_duration), PlainSerializer(format_duration), WithJsonSchema(_DURATION_SCHEMA)
]
Bytes = Annotated[
    int, BeforeValidator(_read_size), PlainSerializer(format_size), WithJsonSchema(_SIZE_SCHEMA)
]
Scalar = Annotated[Value, BeforeValidator(_check_scalar)]
Scalars = Annotated[list[Scalar], BeforeValidator(as_list, json_schema_input_type=Scalar | list[Scalar])]
Texts = Annotated[list[str], BeforeValidator(as_list, json_schema_input_type=str | list[str])]
Count = Annotated[int, Field(ge=1)]
