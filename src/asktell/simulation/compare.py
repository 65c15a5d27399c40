"""Engines, schedules and worker counts side by side, over seeds, as one labelled dataset."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asktell.errors import ConfigError, Problem
from asktell.optimize.hypervolume import hypervolume
from asktell.simulation.functions import TestFunction
from asktell.simulation.laws import Law, parse_law
from asktell.simulation.play import Cell, ClusterModel, Played, play
from asktell.simulation.problems import problem
from asktell.study import Schedule, ScheduleKind

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

RUNTIME = "20min"
AXES = ("engine", "schedule", "workers", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared, as people write it. runtime, queue: laws; None takes what the problem brings.

    schedules: 'async', 'batch', 'sequential', 'hybrid:4'. crash_every_s: mean life of a job;
    failure_rate: share of evaluations that fail. jobs: cells that are played at the same time.
    """

    problem: str
    engines: Sequence[str] = ("gp",)
    schedules: Sequence[str] = ("async", "batch")
    workers: Sequence[int] = (16,)
    seeds: int = 5
    trials: int = 100
    initial: int = 10
    runtime: str | None = None
    queue: str = "0s"
    walltime_s: float | None = None
    crash_every_s: float = math.inf
    failure_rate: float = 0.0
    is_charged: bool = False
    is_walltime_aware: bool = True
    jobs: int = 1


def compare(
    wanted: Comparison, on_played: Callable[[int, int], None] = lambda done, total: None
) -> xr.Dataset:
    """Play every cell. on_played: told how many of how many are done.

    The dataset has the dimensions `AXES` and, for what happens trial by trial, `step` (the n-th trial
    that ended). Raises ConfigError for what cannot be simulated.
    """
    places = list(itertools.product(*map(range, _shape(wanted))))
    setting = _setting(wanted)
    _ = [_cell(wanted, place, setting) for place in places]  # what is wrong is said before anything is played
    played = []
    for result in _play_all(wanted, places):
        played.append(result)
        on_played(len(played), len(places))
    return _dataset(wanted, setting, places, played)


def schedule_of(text: str, width: int) -> Schedule:
    """The schedule that 'async' or 'hybrid:4' names, on so many workers. Raises ConfigError."""
    kind, _, k = text.partition(":")
    try:
        if kind == ScheduleKind.HYBRID:
            if not 1 < int(k or 0) < width:
                raise ValueError
            return Schedule(ScheduleKind.HYBRID, width, int(k))
        if k:
            raise ValueError
        return Schedule(ScheduleKind(kind), 1 if kind == ScheduleKind.SEQUENTIAL else width)
    except ValueError:
        remedy = "write sequential, batch, async or hybrid:K with 1 < K < workers"
        message = f"{text!r} is no schedule for {width} workers"
        raise ConfigError([Problem("--schedule", message, remedy)]) from None


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all cells have in common. Not to be pickled: laws and functions are closures."""

    function: TestFunction
    runtime: Law
    cluster: ClusterModel


@cache
def _setting(wanted: Comparison) -> _Setting:
    function, measured = problem(wanted.problem)
    runtime = measured if measured is not None and wanted.runtime is None else None
    cluster = ClusterModel(
        queue=parse_law(wanted.queue, function.space, where="--queue"),
        walltime_s=wanted.walltime_s,
        crash_every_s=wanted.crash_every_s,
        failure_rate=wanted.failure_rate,
    )
    return _Setting(function, runtime or parse_law(wanted.runtime or RUNTIME, function.space), cluster)


def _shape(wanted: Comparison) -> tuple[int, ...]:
    return len(wanted.engines), len(wanted.schedules), len(wanted.workers), wanted.seeds


def _cell(wanted: Comparison, place: Sequence[int], setting: _Setting) -> Cell:
    engine, schedule, workers, seed = place
    return Cell(
        function=setting.function,
        engine=wanted.engines[engine],
        schedule=schedule_of(wanted.schedules[schedule], wanted.workers[workers]),
        seed=seed,
        trials=wanted.trials,
        runtime=setting.runtime,
        cluster=setting.cluster,
        initial=wanted.initial,
        is_charged=wanted.is_charged,
        is_walltime_aware=wanted.is_walltime_aware,
    )


def _play_one(wanted: Comparison, place: Sequence[int]) -> Played:
    return play(_cell(wanted, place, _setting(wanted)))


def _play_all(wanted: Comparison, places: Sequence[Sequence[int]]) -> Iterator[Played]:
    if wanted.jobs == 1:
        yield from map(partial(_play_one, wanted), places)
        return
    with ProcessPoolExecutor(wanted.jobs, mp_context=get_context("forkserver")) as pool:
        yield from pool.map(partial(_play_one, wanted), places)


def _dataset(
    wanted: Comparison, setting: _Setting, places: Sequence[Sequence[int]], played: Sequence[Played]
) -> xr.Dataset:
    import xarray as xr

    shape, n = _shape(wanted), wanted.trials

    def gather(of: Callable[[Played], float]) -> Array:
        return np.array([of(item) for item in played]).reshape(shape)

    def trace(of: Callable[[Played], Sequence[float] | Array]) -> Array:
        rows = np.full((len(places), n), np.nan)
        for row, item in zip(rows, played, strict=True):
            values = of(item)[:n]
            row[: len(values)] = values
        return rows.reshape(*shape, n)

    hours, steps = {"units": "h"}, (*AXES, "step")
    variables: dict[str, Any] = {
        "ended": (steps, trace(lambda item: np.array(item.ended_s) / 3600), {**hours, "long_name": "time"}),
        "makespan": (AXES, gather(lambda item: item.makespan_s / 3600), hours),
        "utilisation": (AXES, gather(lambda item: item.busy_s / item.live_s), {"units": "1"}),
        "worker_hours": (AXES, gather(lambda item: item.live_s / 3600), hours),
        "lost": (AXES, gather(lambda item: item.n_lost), {"long_name": "attempts lost"}),
        "ask": (
            AXES,
            gather(lambda item: item.ask_s / n),
            {"units": "s", "long_name": "CPU time of a proposal"},
        ),
    }
    if len(setting.function.objectives) == 1:
        label = {"long_name": "regret of the best so far"}
        variables["regret"] = (steps, trace(lambda item: _running_best(item.regret)), label)
    else:
        label = {"long_name": "hypervolume of the front so far"}
        reference = np.array(setting.function.reference)
        variables["hypervolume"] = (steps, trace(lambda item: hypervolumes(item.losses, reference)), label)
    coordinates = {
        "engine": list(wanted.engines),
        "schedule": list(wanted.schedules),
        "workers": list(wanted.workers),
        "seed": list(range(wanted.seeds)),
        "step": np.arange(1, n + 1),
    }
    attributes = {
        "problem": setting.function.name,
        "runtime": setting.runtime.text,
        "queue": setting.cluster.queue.text,
        "walltime_s": wanted.walltime_s or 0.0,
        "charged": int(wanted.is_charged),
    }
    return xr.Dataset(variables, coordinates, attributes)


def _running_best(regret: Sequence[float]) -> Array:
    """(n,): the lowest so far, NaN before the first."""
    lowest = np.fmin.accumulate(np.array(regret)) if regret else np.empty(0)
    return np.asarray(lowest)


def hypervolumes(losses: Sequence[Sequence[float]], reference: Array) -> Array:
    """Hypervolume of the points so far, after each of them. losses: (n, m) with NaN rows; returns (n,)."""
    found, points, volume = [], list[Sequence[float]](), 0.0
    for row in losses:
        if not math.isnan(row[0]) and (np.asarray(row) < reference).all():
            points.append(row)
            volume = hypervolume(np.array(points), reference)
        found.append(volume)
    return np.array(found)


def time_to(data: xr.Dataset, target: float) -> xr.DataArray:
    """Hours until the regret is `target` or less, for each cell; infinite where it never is."""
    reached = data["regret"] <= target
    return data["ended"].where(reached).min("step").fillna(np.inf)
