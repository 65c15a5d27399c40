"""A space as people read it: a row of text for each parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asktell.space.parameters import Parameter
from asktell.wording import number

HEADERS = ("parameter", "type", "values", "scale", "when", "units", "description")


def rows(parameters: Mapping[str, Parameter]) -> list[tuple[str, ...]]:
    """By `HEADERS`; '' for what a parameter does not have."""
    return [_row(name, parameter) for name, parameter in parameters.items()]


def _row(name: str, parameter: Parameter) -> tuple[str, ...]:
    found: dict[str, Any] = parameter.specification()
    if "low" in found:
        values = f"{number(found['low'])} to {number(found['high'])}"
    elif "choices" in found:
        values = ", ".join(map(number, found["choices"]))
    else:
        values = number(found.get("value", "true, false"))
    when = " and ".join(
        f"{parent} is {' or '.join(map(number, options))}"
        for parent, options in found.get("when", {}).items()
    )
    scale = "log" if found.get("log") else ""
    return name, str(found["type"]), values, scale, when, parameter.units, parameter.description
