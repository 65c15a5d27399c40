"""What `asktell init` and `asktell schema` print, made from the models and nothing else."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from asktell.config.dialect import write_inline
from asktell.config.models import StudyConfig
from asktell.config.types import Section, members

_WIDTH = 100

EXAMPLE_OBJECTIVE = '''\
"""The objective of the study file beside it: replace it with your own."""


def evaluate(width, layers, method, tolerance=None):
    """Gets the parameters as keywords; those that `when` leaves out are absent."""
    error = (width - 2.0) ** 2 + 0.1 * (layers - 3) ** 2
    return {"error": error + (0.5 if method == "fast" else tolerance)}
'''
"""objective.py for `template()`."""


def schema() -> dict[str, Any]:
    """The JSON Schema of a study file, for editors: every key, its type, default and description."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | StudyConfig.model_json_schema()


def template() -> str:
    """A study file with every key: an example where one is needed, all else commented out at its default.

    Lines that start with '# ' are prose; removing the '#' of any other turns its key on.
    """
    lines = ["# A study for asktell. Keys that are commented out have the value that they show.", ""]
    for key, info in StudyConfig.model_fields.items():
        lines += [*_field(key, info), ""]
    return "\n".join(lines)


def _field(key: str, info: FieldInfo) -> Iterator[str]:
    """One key: its description, what may stand beneath it, and its example or default."""
    models = [member for member in members(info.annotation) if issubclass(member, Section)]
    yield from _prose(_described(info))
    is_section = typing.get_origin(info.annotation) is not dict and len(models) == 1
    if info.examples and isinstance(info.examples[0], dict):
        yield f"{key}:"
        yield from (f"  {name}: {write_inline(value)}" for name, value in info.examples[0].items())
    elif info.examples:
        yield f"{key}: {write_inline(info.examples[0])}"
    elif is_section and key not in _INLINE:
        yield f"{key}:"
        for name, inner in models[0].model_fields.items():
            yield from ("  " + line for line in _field(inner.alias or name, inner))
        return
    else:
        yield f"#{key}: {write_inline(_default(info))}"
    for model in models:
        yield from _prose(_keys(model), indent="  ")
