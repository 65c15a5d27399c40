"""Numbers, times and durations as people read them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

_UNKNOWN = "–"


def number(value: object) -> str:
    """A value as people read it; floats to six digits."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else str(value)
    return str(value)


def assignments(values: Mapping[str, object], separator: str = ", ") -> str:
    """'x = 0.5, n = 3'."""
    return separator.join(f"{name} = {number(value)}" for name, value in values.items())


def duration(seconds: float) -> str:
    """The duration in its two largest units: '3.2 s', '4 min 10 s', '2 d 3 h'."""
    if not math.isfinite(seconds):
        return _UNKNOWN
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, rest_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest_s, "s")]
    first = next(i for i, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def moment(at: float | None) -> str:
    """A time on this machine's clock: '2026-11-22 14:03:22'."""
    if not at:
        return _UNKNOWN
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if math.isfinite(share) else _UNKNOWN


def count(n: int, noun: str) -> str:
    """'1 trial', '3 trials'."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
