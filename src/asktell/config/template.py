"""What `asktell init` and `asktell schema` print, made from the models and nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from asktell.config.anatomy import choices, entries, heading, keys, section
from asktell.config.dialect import write_inline
from asktell.config.models import StudyConfig
from asktell.config.types import Section

_WIDTH = 100

EXAMPLE_OBJECTIVE_FILE = "objective.py"
EXAMPLE_OBJECTIVE = '''\
"""The objective of the study file beside it: replace it with your own."""


def evaluate(width, layers, method, tolerance=None):
    """Gets the parameters as keywords; those that `when` leaves out are absent."""
    loss = (width - 2.0) ** 2 + 0.1 * (layers - 3) ** 2
    return {"loss": loss + (0.5 if method == "fast" else tolerance)}
'''
"""The objective that `template()` names, and its file beside it."""


def schema() -> dict[str, Any]:
    """The JSON Schema of a study file, for editors: every key, its type, default and description."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | StudyConfig.model_json_schema()


def template() -> str:
    """A study file with every key: an example where one is needed, all else commented out at its default.

    Lines that start with '# ' are prose; removing the '#' of any other turns its key on.
    """
    lines = ["# A study for asktell. Keys that are commented out have the value that they show.", ""]
    defaults = _defaults(StudyConfig)
    for key, info in keys(StudyConfig).items():
        model = section(info.annotation)
        lines += [*(_field(key, info, defaults) if model is None else _section(key, info, model)), ""]
    return "\n".join(lines)


def _section(key: str, info: FieldInfo, model: type[Section]) -> Iterator[str]:
    """A section whose keys are all turned off but for the examples; empty, it has its defaults."""
    yield from _prose(_described(info))
    yield f"{key}:"
    defaults = _defaults(model)
    for name, inner in keys(model).items():
        if text := heading(inner):
            yield from ("", f"  # {text}", "")
        yield from (f"  {line}" for line in _field(name, inner, defaults))


def _field(key: str, info: FieldInfo, defaults: Mapping[str, Any]) -> Iterator[str]:
    """One key: what it is, what may stand beneath it, and its example or default."""
    yield from _prose(_described(info))
    yield from _entries(info)
    example = info.examples[0] if info.examples else None
    if isinstance(example, dict):
        yield f"{key}:"
        yield from (f"  {name}: {write_inline(value)}" for name, value in example.items())
    elif example is not None:
        yield f"{key}: {write_inline(example)}"
    else:
        yield f"#{key}: {write_inline(defaults[key])}"


def _entries(info: FieldInfo) -> Iterator[str]:
    """What may stand beneath a key: key by key, or in a line for each of several kinds."""
    inner, kinds = section(info.annotation), entries(info.annotation)
    if len(kinds) > 1:
        for kind in kinds:
            defaults = _defaults(kind)
            needed_first = sorted(keys(kind), key=defaults.__contains__)
            names = ", ".join(_with_default(key, defaults) for key in needed_first if key != "type")
            yield from _prose(f"type: {defaults['type']}: {names}", indent="  ")
    elif (model := inner or next(iter(kinds), None)) is not None:
        defaults = _defaults(model)
        for key, item in keys(model).items():
            yield from _prose(f"{_with_default(key, defaults)}: {_described(item)}", indent="  ")


def _described(info: FieldInfo) -> str:
    options = choices(info.annotation)
    return f"{info.description} ({' | '.join(options)})" if options else info.description or ""


def _with_default(key: str, defaults: Mapping[str, Any]) -> str:
    return f"{key} ({write_inline(defaults[key])})" if key in defaults else key


def _defaults(model: type[Section]) -> dict[str, Any]:
    """The keys that have a default, and it, as it stands in a file."""
    return model.model_construct().model_dump(mode="json", by_alias=True)


def _prose(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"# {indent}", subsequent_indent=f"# {indent}  ")
