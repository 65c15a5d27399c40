"""Engines, schedules and worker counts side by side, over seeds, as one labelled dataset."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asktell.config import StudyConfig
from asktell.errors import ConfigError, Problem
from asktell.optimize.hypervolume import hypervolume
from asktell.session import width_of
from asktell.simulation.functions import TestFunction
from asktell.simulation.laws import Law, parse_law
from asktell.simulation.play import Cell, ClusterModel, Played, play
from asktell.simulation.problems import subject
from asktell.simulation.targets import AXES
from asktell.study import Schedule, ScheduleKind

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

DIMENSIONS = (*AXES, "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared, as people write it. None takes what the study has, or a test function's default.

    schedules: 'async', 'batch', 'sequential', 'hybrid:4'. runtime, queue, startup: laws.
    crash_every_s: mean life of a job; failure_rate: share of evaluations that fail, besides those that
    fail because of where they are. jobs: cells that are played at the same time.
    """

    problem: str
    engines: Sequence[str] | None = None
    schedules: Sequence[str] = ("async", "batch")
    workers: Sequence[int] | None = None
    seeds: int = 5
    trials: int | None = None
    initial: int | None = None
    runtime: str | None = None
    queue: str = "0s"
    startup: str = "0s"
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

    The dataset has the dimensions `DIMENSIONS` and, for what happens trial by trial, `step` (the n-th
    trial that ended). Raises ConfigError for what cannot be simulated.
    """
    setting = _setting(wanted)
    cells = list(itertools.product(setting.engines, wanted.schedules, setting.workers, range(wanted.seeds)))
    for place in cells:  # what is wrong is said before anything is played
        _cell(wanted, place, setting)
    played = []
    for result in _play_all(wanted, cells):
        played.append(result)
        on_played(len(played), len(cells))
    return _dataset(wanted, setting, played)


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


_Place = tuple[str, str, int, int]
"""engine, schedule, workers, seed"""


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all cells have in common. Not to be pickled: laws and functions are closures.

    options: of the one engine that a study has options for.
    """

    function: TestFunction
    runtime: Law
    cluster: ClusterModel
    engines: Sequence[str]
    options: Mapping[str, Mapping[str, Any]]
    workers: Sequence[int]
    trials: int
    initial: int


@cache
def _setting(wanted: Comparison) -> _Setting:
    found = subject(wanted.problem)
    space, config = found.function.space, found.config
    own = _DEFAULTS if config is None else _own(config)
    measured = found.runtime if wanted.runtime is None else None
    return _Setting(
        function=found.function,
        runtime=measured or parse_law(wanted.runtime or _RUNTIME, space),
        cluster=ClusterModel(
            queue=parse_law(wanted.queue, space, where="--queue", may_be_zero=True),
            startup=parse_law(wanted.startup, space, where="--startup", may_be_zero=True),
            walltime_s=own.walltime_s if wanted.walltime_s is None else wanted.walltime_s,
            crash_every_s=wanted.crash_every_s,
            failure_rate=wanted.failure_rate,
        ),
        engines=wanted.engines or (own.engine,),
        options={own.engine: own.options},
        workers=wanted.workers or (own.workers,),
        trials=wanted.trials or own.trials,
        initial=wanted.initial or own.initial,
    )


@dataclass(frozen=True, slots=True)
class _Own:
    """What is simulated where nobody says otherwise."""

    engine: str = "gp"
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 16
    trials: int = 100
    initial: int = 10
    walltime_s: float | None = None


_DEFAULTS = _Own()
_RUNTIME = "20min"


def _own(config: StudyConfig) -> _Own:
    optimizer = config.optimizer
    return _Own(
        engine=optimizer.engine,
        options=optimizer.options,
        workers=width_of(config),
        trials=config.budget.trials or _DEFAULTS.trials,
        initial=optimizer.initial,
        walltime_s=config.cluster.walltime_s,
    )


def _cell(wanted: Comparison, place: _Place, setting: _Setting) -> Cell:
    engine, schedule, workers, seed = place
    return Cell(
        function=setting.function,
        engine=engine,
        options=setting.options.get(engine, {}),
        schedule=schedule_of(schedule, workers),
        seed=seed,
        trials=setting.trials,
        runtime=setting.runtime,
        cluster=setting.cluster,
        initial=setting.initial,
        is_charged=wanted.is_charged,
        is_walltime_aware=wanted.is_walltime_aware,
    )


def _play_one(wanted: Comparison, place: _Place) -> Played:
    return play(_cell(wanted, place, _setting(wanted)))


def _play_all(wanted: Comparison, cells: Sequence[_Place]) -> Iterator[Played]:
    if wanted.jobs == 1:
        yield from map(partial(_play_one, wanted), cells)
        return
    with ProcessPoolExecutor(wanted.jobs, mp_context=get_context("forkserver")) as pool:
        yield from pool.map(partial(_play_one, wanted), cells)


def _dataset(wanted: Comparison, setting: _Setting, played: Sequence[Played]) -> xr.Dataset:
    import xarray as xr

    shape, n = (
        (len(setting.engines), len(wanted.schedules), len(setting.workers), wanted.seeds),
        setting.trials,
    )

    def cells(of: Callable[[Played], float | str], **attributes: str) -> tuple[Any, ...]:
        return DIMENSIONS, np.array([of(item) for item in played]).reshape(shape), attributes

    def traces(of: Callable[[Played], Sequence[float] | Array], **attributes: str) -> tuple[Any, ...]:
        rows = np.full((len(played), n), np.nan)
        for row, item in zip(rows, played, strict=True):
            values = of(item)[:n]
            row[: len(values)] = values
        return (*DIMENSIONS, "step"), rows.reshape(*shape, n), attributes

    def hours(seconds: Sequence[float]) -> Array:
        return np.array(seconds) / 3600

    variables: dict[str, Any] = {
        "ended": traces(lambda item: hours(item.ended_s), units="h", long_name="time"),
        "spent": traces(lambda item: hours(item.spent_s), units="h", long_name="worker-hours so far"),
        "makespan": cells(lambda item: item.makespan_s / 3600, units="h"),
        "utilisation": cells(lambda item: item.busy_s / item.live_s, units="1"),
        "worker_hours": cells(lambda item: item.live_s / 3600, units="h", long_name="worker-hours"),
        "lost": cells(lambda item: item.n_lost, long_name="attempts lost"),
        "failed": cells(lambda item: item.n_failed, long_name="trials failed"),
        "reason": cells(lambda item: item.reason, long_name="why the study ended"),
        "ask": cells(
            lambda item: item.ask_s / max(len(item.ended_s), 1), units="s", long_name="CPU time of a proposal"
        ),
    }
    if len(setting.function.objectives) == 1:
        variables["regret"] = traces(
            lambda item: _running_best(item.regret), long_name="regret of the best so far"
        )
    else:
        reference = np.array(setting.function.reference)
        variables["hypervolume"] = traces(
            lambda item: hypervolumes(item.losses, reference), long_name="hypervolume of the front so far"
        )
    coordinates = {
        "engine": list(setting.engines),
        "schedule": list(wanted.schedules),
        "workers": list(setting.workers),
        "seed": list(range(wanted.seeds)),
        "step": np.arange(1, n + 1),
    }
    cluster = setting.cluster
    attributes = {
        "problem": setting.function.name,
        "runtime": setting.runtime.text,
        "queue": cluster.queue.text,
        "startup": cluster.startup.text,
        "walltime_s": cluster.walltime_s or math.inf,
        "crash_every_s": cluster.crash_every_s,
        "failure_rate": cluster.failure_rate,
        "initial": setting.initial,
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
