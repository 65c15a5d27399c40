"""CF conventions, and what xarray makes of attributes when it opens a file.

An author's attributes go into the view as they are unless xarray's decoder would act on them: then
they would change values, or stop the view from opening.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CONVENTIONS = "CF-1.11"
MICROSECONDS = "microseconds since 1970-01-01"
NOT_A_TIME = -(2**63)
"""An int64 time that never was; xarray decodes it to NaT."""

_DECODED = {
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "calendar",
    "coordinates",
    "dtype",
    "_Unsigned",
}
_DURATIONS = {
    "days": "d",
    "hours": "h",
    "minutes": "min",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}


def json_attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes as JSON values; what JSON does not have becomes text."""
    return {str(key): _json(value) for key, value in attrs.items()}


def safe_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that xarray leaves alone; those that it would act on get the prefix 'source_'.

    A unit that xarray would take for a duration is written by its symbol: 's' for 'seconds'.
    """
    safe = {f"source_{key}" if key in _DECODED else key: value for key, value in attrs.items()}
    units = safe.get("units")
    if isinstance(units, str):
        safe["units"] = _DURATIONS.get(units, units)
        if "since" in units:
            safe["source_units"] = safe.pop("units")
    return safe


def described(units: str = "", description: str = "", **more: Any) -> dict[str, Any]:
    """The usual attributes; empty ones are left out."""
    return safe_attrs(
        {**({"long_name": description} if description else {}), **({"units": units} if units else {}), **more}
    )


def flags(meanings: Sequence[str], first: int = 0) -> dict[str, Any]:
    """CF's description of an enumeration. Meanings are words, so blanks become underscores."""
    words = [re.sub(r"\s+", "_", meaning) or "none" for meaning in meanings]
    return {"flag_values": list(range(first, first + len(words))), "flag_meanings": " ".join(words)}


def variable_name(name: str) -> str:
    """`name` as a variable of the view: a slash would nest it, a blank would split it."""
    return re.sub(r"[^\w.+-]", "_", name).strip(".") or "_"


def _json(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return json_attrs(value)
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if (
        value is None
        or isinstance(value, (bool, int, str))
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return str(value)
