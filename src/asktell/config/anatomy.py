"""Which keys and sections the models are made of; for messages, the template and its tests."""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Annotated, Any

from pydantic.fields import FieldInfo

from asktell.config.types import Heading, Section


def keys(model: type[Section]) -> dict[str, FieldInfo]:
    """The model's fields under their names in the file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def unwrap(annotation: Any) -> Any:
    """The type without Annotated and without `| None`."""
    while True:
        if typing.get_origin(annotation) is Annotated:
            annotation = typing.get_args(annotation)[0]
        elif len(rest := [a for a in union_members(annotation) if a is not types.NoneType]) == 1:
            annotation = rest[0]
        else:
            return annotation


def union_members(annotation: Any) -> tuple[Any, ...]:
    """What a union is made of; nothing for any other type."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else ()


def section(annotation: Any) -> type[Section] | None:
    """The section that the annotation stands for, if it is one."""
    inner = unwrap(annotation)
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def entries(annotation: Any) -> list[type[Section]]:
    """The kinds of section that a mapping by name may hold: six for `space`, none for plain values."""
    inner = unwrap(annotation)
    if typing.get_origin(inner) is not dict:
        return []
    value = unwrap(typing.get_args(inner)[1])
    return [found for member in union_members(value) or (value,) if (found := section(member)) is not None]


def choices(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal or an enumeration; nothing for any other type."""
    inner = unwrap(annotation)
    if isinstance(inner, type) and issubclass(inner, Enum):
        return tuple(str(member.value) for member in inner)
    return typing.get_args(inner) if typing.get_origin(inner) is typing.Literal else ()


def heading(info: FieldInfo) -> str:
    """What stands above the group of keys that starts here; '' within a group."""
    return next((mark.text for mark in info.metadata if isinstance(mark, Heading)), "")
