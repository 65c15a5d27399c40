"""How soon a comparison's studies are as good as somebody wants, at what price, and who is first."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from asktell.study import ScheduleKind
from asktell.wording import duration, number

if TYPE_CHECKING:
    import xarray as xr

AXES = ("engine", "schedule", "workers")
"""What is compared; over seeds there are medians."""

_MOST = 0.75  # of the seeds: one that is stuck does not make the target an easy one

Place = Mapping[str, Any]
"""One value of each axis."""


def quality(data: xr.Dataset) -> xr.DataArray:
    """How good the studies are, step by step: their regret, or their hypervolume."""
    return data["regret" if "regret" in data else "hypervolume"]


def reached(data: xr.Dataset, target: float, what: str = "ended") -> xr.DataArray:
    """Hours until the regret is `target` or less (the hypervolume that or more); infinite where it never is.

    what: ended, on the clock; spent, worker-hours.
    """
    found = quality(data)
    is_there = found <= target if found.name == "regret" else found >= target
    return data[what].where(is_there).min("step").fillna(np.inf)


def common_target(data: xr.Dataset) -> float | None:
    """What most studies of every combination reach in the end, to two digits; None if there is nothing."""
    found = quality(data)
    is_regret = found.name == "regret"
    if is_regret:
        value = float(found.min("step").fillna(np.inf).quantile(_MOST, "seed", method="higher").max())
    else:
        value = float(found.max("step").fillna(0.0).quantile(1 - _MOST, "seed", method="lower").min())
    if not math.isfinite(value) or value <= 0:
        return 0.0 if is_regret and value == 0 else None
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    steps = value / unit
    return float(f"{(math.ceil(steps) if is_regret else math.floor(steps)) * unit:.2g}")


def lines(data: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """A label and the seeds' data for each combination; what does not vary is left out of the label."""
    varying = [axis for axis in AXES if data.sizes[axis] > 1]
    found = []
    for place in _combinations(data):
        if _is_repeat(place, data):
            continue
        is_alone = place["schedule"] == ScheduleKind.SEQUENTIAL
        told = [axis for axis in varying if axis != "workers" or not is_alone]
        found.append((_label(place, told or ["schedule"]), data.sel(place)))
    return found


def verdicts(data: xr.Dataset, target: float) -> list[str]:
    """Who is first at the target, by how much, and what more workers gain: a sentence for each question."""
    goal = f"{quality(data).name} {number(target)}"
    medians = [reached(data, target, what).median("seed") for what in ("ended", "spent")]
    told = []
    for axis in AXES:
        groups: dict[str, list[Place]] = {}
        for place in _combinations(data):
            if axis == "schedule" or not _is_repeat(place, data):
                others = [other for other in AXES if other != axis and data.sizes[other] > 1]
                groups.setdefault(_label(place, others), []).append(place)
        for group, places in groups.items():
            costs = [
                Cost(_word(place, axis), *(float(hours.sel(place)) for hours in medians)) for place in places
            ]
            if len(costs) > 1:
                told.append(
                    f"{group}: " * bool(group) + (_growth if axis == "workers" else _race)(costs, goal)
                )
    return told


@dataclass(frozen=True, slots=True)
class Cost:
    """What the target takes: hours on the clock, and worker-hours; infinite where it is not reached."""

    who: str
    hours: float
    spent: float


def _race(costs: Sequence[Cost], goal: str) -> str:
    first, *rest = sorted(costs, key=lambda cost: (cost.hours, cost.spent))
    if first.hours == math.inf:
        return f"none reaches {goal}"
    others = "; ".join(f"{cost.who} {_against(first, cost, 'takes', 'does not')}" for cost in rest)
    return f"{first.who} reaches {goal} in {duration(first.hours * 3600)}; {others}"


def _growth(costs: Sequence[Cost], goal: str) -> str:
    steps = (
        f"{more.who} instead of {fewer.who.split()[0]} {_against(fewer, more, 'take', 'do not')}"
        for fewer, more in itertools.pairwise(costs)
    )
    return f"to {goal}, {'; '.join(steps)}"


def _against(base: Cost, other: Cost, takes: str, fails: str) -> str:
    if other.hours == math.inf:
        return f"{fails} get there"
    if base.hours == math.inf:
        return "get there at all"
    hours, spent = _ratio(other.hours, base.hours), _ratio(other.spent, base.spent)
    long = "as long" if hours == "1" else f"{hours} × as long"
    dear = "the same" if spent == "1" else f"{spent} × the"
    return f"{takes} {long} ({dear} worker-hours)"


def _ratio(a: float, b: float) -> str:
    return f"{a / b:.2g}" if a < 100 * b else f"{a / b:.0f}"


def _combinations(data: xr.Dataset) -> Iterator[Place]:
    for values in itertools.product(*(data[axis].values.tolist() for axis in AXES)):
        yield dict(zip(AXES, values, strict=True))


def _is_repeat(place: Place, data: xr.Dataset) -> bool:
    """`sequential` has one worker, however many the others have."""
    return place["schedule"] == ScheduleKind.SEQUENTIAL and bool(place["workers"] != data["workers"][0])


def _label(place: Place, axes: Sequence[str]) -> str:
    return ", ".join(_word(place, axis) for axis in axes)


def _word(place: Place, axis: str) -> str:
    return f"{place[axis]} workers" if axis == "workers" else str(place[axis])
