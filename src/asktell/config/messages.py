"""pydantic's complaints in the words of someone who writes a study file."""

from __future__ import annotations

import typing
from typing import Any

from pydantic_core import ErrorDetails

from asktell.config.anatomy import keys, section, union_members, unwrap
from asktell.config.faults import Fault, did_you_mean
from asktell.config.models import StudyConfig
from asktell.config.source import Path
from asktell.config.types import Section, describe, shorten

_EXPECTED = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a section",
    "model_type": "a section",
    "model_attributes_type": "a section",
    "path_type": "the path of a folder",
}
_LIMITS = {
    "greater_than": "above {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "below {lt:g}",
    "less_than_equal": "{le:g} or less",
}

_FOREIGN = {
    "cpus": ("cpus_per_trial",),
    "ncpus": ("cpus_per_trial", "cpus"),
    "ppn": ("cpus_per_trial", "cpus"),
    "cores": ("cpus_per_trial", "cpus"),
    "threads": ("cpus_per_trial", "cpus"),
    "gpus": ("gpus_per_trial",),
    "ngpus": ("gpus_per_trial",),
    "nodes": ("jobs",),
    "project": ("account",),
    "modules": ("prologue",),
    "qos": ("extra_directives",),
    "reservation": ("extra_directives",),
    "email": ("extra_directives",),
}
"""What batch systems call it -> our keys, the first that the section knows."""


def translate(error: ErrorDetails) -> Fault:
    """The fault behind one of a ValidationError's errors."""
    path, model = _locate(error["loc"])
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "asktell":
        return Fault(path, context["message"], context["remedy"].removeprefix("; "))
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "missing":
        return Fault(path, "is missing", _how_to_add(str(path[-1]), model))
    if kind in _LIMITS:
        limit = _LIMITS[kind].format(**context)
        return Fault(path, f"must be {limit}, not {shorten(value)}", f"write a value {limit}")
    if kind == "literal_error":
        options = _options(context["expected"])
        return Fault(path, f"{shorten(value)} is none of {', '.join(options)}", _choose(value, options))
    if kind == "union_tag_invalid":
        options = _options(context["expected_tags"])
        return Fault(
            (*path, "type"),
            f"{context['tag']!r} is none of {', '.join(options)}",
            _choose(context["tag"], options),
        )
    if kind == "union_tag_not_found":
        return Fault(
            path, "has no type", "add type: real, integer, ordinal, categorical, boolean or constant"
        )
    if kind == "model_attributes_type" and path[:1] == ("space",):
        return Fault(
            path, f"{describe(value)} is no parameter", "write {type: real, low: 0, high: 1} or a constant"
        )
    if kind in _EXPECTED:
        return Fault(path, f"must be {_EXPECTED[kind]}, not {describe(value)}", _how_to_write(kind, value))
    if kind == "string_pattern_mismatch":
        remedy = "use letters, digits, '.', '_' and '-', a letter or digit first"
        return Fault(path, f"{value!r} is no name for a directory", remedy)
    return Fault(path, f"{error['msg']} (it is {shorten(value)})", "change it")


def _locate(location: tuple[str | int, ...]) -> tuple[Path, type[Section] | None]:
    """The path in the file, without pydantic's union tags, and the model that holds its last key."""
    path: list[str | int] = []
    holder: type[Section] | None = None
    node: Any = StudyConfig
    for item in location:
        node = unwrap(node)
        if members := union_members(node):
            node = next((member for member in members if _has_tag(member, item)), None)
            continue
        path.append(item)
        holder = section(node)
        if holder is not None:
            info = keys(holder).get(str(item))
            node = info.annotation if info is not None else None
        else:
            node = (typing.get_args(node) or (None,))[-1]
    return tuple(path), holder


def _has_tag(member: Any, tag: str | int) -> bool:
    model = section(member)
    return model is not None and "type" in keys(model) and keys(model)["type"].default == tag


def _unknown_key(path: Path, model: type[Section] | None) -> Fault:
    key, known = str(path[-1]), keys(model or StudyConfig)
    homes = [
        f"{name}.{key}"
        for name, info in keys(StudyConfig).items()
        if (inner := section(info.annotation)) is not None and key in keys(inner)
    ]
    otherwise = f"did you mean {homes[0]}?" if homes else f"known here: {', '.join(known)}"
    foreign = next((name for name in _FOREIGN.get(key.casefold(), ()) if name in known), None)
    remedy = did_you_mean(key, known, otherwise) if foreign is None else f"did you mean {foreign!r}?"
    if path[:-1] == ("optimizer",):
        remedy += " (an engine's own settings stand under optimizer.options)"
    return Fault(path, "is not a key that asktell knows", remedy)


def _how_to_add(key: str, model: type[Section] | None) -> str:
    info = keys(model or StudyConfig).get(key)
    description = (info.description or "").split(". ")[0].rstrip(".") if info is not None else ""
    return f"add `{key}:` ({_in_a_sentence(description)})" if description else f"add `{key}:`"


def _in_a_sentence(text: str) -> str:
    """Without its capital letter, unless that is an acronym's."""
    return text if text[:2].isupper() else f"{text[:1].lower()}{text[1:]}"


def _how_to_write(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, (int, float)):
        return "put it in quotes"
    if kind == "list_type" and isinstance(value, (str, int, float)):
        return f"write [{value}]"
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    if kind in ("int_type", "float_type") and isinstance(value, str) and _is_number(value):
        return "remove the quotes"
    if _EXPECTED[kind] == "a section":
        return "write its keys beneath it, indented"
    return f"write {_EXPECTED[kind]}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _options(expected: str) -> list[str]:
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",") if part.strip(" '")]


def _choose(value: Any, options: list[str]) -> str:
    return did_you_mean(str(value), options, f"choose one: {', '.join(options)}")
