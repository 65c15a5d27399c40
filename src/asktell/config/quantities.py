"""Durations and sizes as people write them, read and written.

A written quantity reads back as exactly the same number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

_SECONDS: Mapping[str, float] = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
# A single letter means what batch schedulers mean by it: a power of 1024.
_BYTES: Mapping[str, int] = {"": 1, "b": 1} | {
    unit: base**power
    for power, letter in enumerate("kmgt", start=1)
    for unit, base in ((letter, 1024), (f"{letter}ib", 1024), (f"{letter}b", 1000))
}

_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)"
_SCIENTIFIC = rf"{_NUMBER}(?:[eE][-+]?\d+)?"
_PART = re.compile(rf"({_SCIENTIFIC})\s*(sec|s|min|m|h|d)\s*")
_CLOCK = re.compile(r"(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)")
_SIZE = re.compile(rf"({_NUMBER})\s*([a-zA-Z]*)")
_EXACT = 2**53  # integers up to here are exact as floats


def parse_duration(value: object) -> float:
    """Seconds in '90s', '1h30min', '2d', 'HH:MM:SS', 'D-HH:MM:SS' or a plain number.

    Raises ValueError with the value that is not understood.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(float(value), value)
    if isinstance(value, str):
        text = value.strip()
        if clock := _CLOCK.fullmatch(text):
            days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
            return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
        if re.fullmatch(_SCIENTIFIC, text):
            return _finite(float(text), value)
        if re.fullmatch(f"(?:{_PART.pattern})+", text):
            return _finite(sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)), value)
    raise ValueError(f"{value!r} is not a duration")


def format_duration(seconds: float) -> str:
    """The duration in the largest units that are exact: '1h30min', '0.25s'."""
    if not float(seconds).is_integer() or seconds > _EXACT:
        return f"{float(seconds)!r}s"
    rest, text = int(seconds), ""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_size(value: object) -> int:
    """Bytes in '8GB' (powers of 1000), '512MiB' or '8G' (powers of 1024) or a plain whole number.

    Raises ValueError with the value that is not understood.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and value >= 0 and value.is_integer():
        return int(value)
    if isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        number, unit = match.groups()
        if unit.lower() in _BYTES:
            return round(Fraction(number) * _BYTES[unit.lower()])
    raise ValueError(f"{value!r} is not a size")


def format_size(size_bytes: int) -> str:
    """The size in the largest unit that divides it: '8GB', '512MiB', '1001B'."""
    for letter, power in (("T", 4), ("G", 3), ("M", 2), ("K", 1)):
        for unit, base in ((f"{letter}iB", 1024), (f"{letter}B", 1000)):
            if size_bytes and size_bytes % base**power == 0:
                return f"{size_bytes // base**power}{unit}"
    return f"{size_bytes}B"


def _finite(seconds: float, written: object) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{written!r} is not a duration")
    return seconds
