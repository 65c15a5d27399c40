"""Durations drawn from a law: how long simulated trials run, and how long jobs wait in the queue."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from asktell.config.quantities import format_duration, parse_duration
from asktell.errors import ConfigError, Problem
from asktell.runtime import RuntimeModel
from asktell.space import Space
from asktell.trial import Params
from asktell.wording import duration

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


def parse_law(text: str, space: Space, *, where: str = "--runtime", may_be_zero: bool = False) -> Law:
    """The law that `text` names; a plain duration is a constant. Raises ConfigError."""
    match = _CALL.fullmatch(text)
    if match is None:
        return _constant(_seconds(text, text, where, may_be_zero=may_be_zero))
    name, arguments = match[1], [part.strip() for part in match[2].split(",")]
    if name not in LAWS:
        raise _wrong(where, f"there is no law {name!r}")
    if len(arguments) != LAWS[name][1]:
        raise _wrong(where, f"{text!r} has {len(arguments)} arguments, not {LAWS[name][1]}")
    if name == "growing":
        return _growing(text, arguments, space, where)
    seconds = [_seconds(part, text, where, may_be_zero=i > 0) for i, part in enumerate(arguments)]
    match name:
        case "constant":
            return _constant(seconds[0])
        case "uniform":
            low, high = sorted(seconds)
            return Law(text, lambda _, rng: float(rng.uniform(low, high)), (low + high) / 2)
        case "exponential":
            return Law(text, lambda _, rng: float(rng.exponential(seconds[0])), seconds[0])
        case _:
            return _lognormal(text, *seconds)


def learned(model: RuntimeModel, durations_s: Sequence[float]) -> Law:
    """Durations as the model predicts them at each point. durations_s: (n,), n > 0, that it learned from."""
    mean_s, deviation_s = float(np.mean(durations_s)), float(np.std(durations_s))

    def draw(params: Params, rng: np.random.Generator) -> float:
        drawn = model.draw(params, rng)
        return mean_s if drawn is None else drawn

    point = ", by their parameters" if model.sees_parameters else ""
    return Law(f"as long as they took: {duration(mean_s)} ± {duration(deviation_s)}{point}", draw, mean_s)


def _lognormal(text: str, mean_s: float, deviation_s: float) -> Law:
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
    low, high = (_seconds(part, text, where, may_be_zero=False) for part in arguments[1:])

    def draw(params: Params, rng: np.random.Generator) -> float:
        return low + (high - low) * float(space.to_unit(params)[column])

    return Law(text, draw, (low + high) / 2)


def _seconds(part: str, text: str, where: str, *, may_be_zero: bool) -> float:
    try:
        seconds = parse_duration(part)
    except ValueError as error:
        raise _wrong(where, f"{text!r}: {error}") from None
    if seconds == 0 and not may_be_zero:
        raise _wrong(where, f"{text!r}: {part} is too short")
    return seconds


def _wrong(where: str, message: str) -> ConfigError:
    known = "; ".join(example for example, _ in LAWS.values())
    return ConfigError([Problem(where, message, f"write a duration, or one of: {known}")])
