"""Durations drawn from a law: how long simulated trials run, and how long jobs wait in the queue."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asktell.config.quantities import format_duration, parse_duration
from asktell.errors import ConfigError, Problem
from asktell.space import Space
from asktell.trial import Params

Draw = Callable[[Params, np.random.Generator], float]

LAWS = {
    "constant": ("constant(20min)", 1),
    "uniform": ("uniform(5min, 30min)", 2),
    "exponential": ("exponential(20min)", 1),
    "lognormal": ("lognormal(20min, 15min): mean and standard deviation", 2),
    "growing": ("growing(width, 1min, 30min): with a parameter, from its low to its high end", 3),
}

_CALL = re.compile(r"\s*(\w+)\s*\((.*)\)\s*")


@dataclass(frozen=True, slots=True)
class Law:
    """A law of durations. text: as written; draw: (params, rng) -> seconds; mean_s: NaN where unknown."""

    text: str
    draw: Draw
    mean_s: float = math.nan


def parse_law(text: str, space: Space, *, where: str = "--runtime") -> Law:
    """The law that `text` names; a plain duration is a constant. Raises ConfigError."""
    match = _CALL.fullmatch(text)
    if match is None:
        return _constant(_seconds(text, text, where))
    name, arguments = match[1], [part.strip() for part in match[2].split(",")]
    if name not in LAWS:
        raise _wrong(where, f"there is no law {name!r}")
    if len(arguments) != LAWS[name][1]:
        raise _wrong(where, f"{text!r} has {len(arguments)} arguments, not {LAWS[name][1]}")
    if name == "growing":
        return _growing(text, arguments, space, where)
    seconds = [_seconds(part, text, where) for part in arguments]
    match name:
        case "constant":
            return _constant(seconds[0])
        case "uniform":
            low, high = sorted(seconds)
            return Law(text, lambda _, rng: float(rng.uniform(low, high)), (low + high) / 2)
        case "exponential":
            return Law(text, lambda _, rng: float(rng.exponential(seconds[0])), seconds[0])
        case _:
            return lognormal(text, *seconds)


def lognormal(text: str, mean_s: float, deviation_s: float) -> Law:
    """Lognormal with this mean and standard deviation, both in seconds."""
    sigma = math.sqrt(math.log1p((deviation_s / mean_s) ** 2))
    centre = math.log(mean_s) - sigma**2 / 2
    return Law(text, lambda _, rng: float(rng.lognormal(centre, sigma)), mean_s)


def _constant(seconds: float) -> Law:
    return Law(format_duration(seconds), lambda *_: seconds, seconds)


def _growing(text: str, arguments: Sequence[str], space: Space, where: str) -> Law:
    name = arguments[0]
    if name not in space.columns:
        raise _wrong(where, f"{text!r}: there is no parameter {name!r} to grow with")
    column = space.columns.index(name)
    low, high = (_seconds(part, text, where) for part in arguments[1:])

    def draw(params: Params, rng: np.random.Generator) -> float:
        return low + (high - low) * float(space.to_unit(params)[column])

    return Law(text, draw, (low + high) / 2)


def _seconds(part: str, text: str, where: str) -> float:
    try:
        seconds = parse_duration(part)
    except ValueError as error:
        raise _wrong(where, f"{text!r}: {error}") from None
    if seconds < 0 or (seconds == 0 and part != text):
        raise _wrong(where, f"{text!r}: {part} is too short")
    return seconds


def _wrong(where: str, message: str) -> ConfigError:
    known = "; ".join(example for example, _ in LAWS.values())
    return ConfigError([Problem(where, message, f"write a duration, or one of: {known}")])
