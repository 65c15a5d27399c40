"""What the workers did: when, for which trial, and what came of it.

An attempt holds its worker from its start to its end. Workers are known from their attempts only: one
that never got any, and the time before a worker's first and after its last one, are not counted.
Nor are attempts of retold trials: they were another study's, whose own dataset tells of them.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.trial import Cause

_LOST, _RETRIED = "lost", "retried"
OUTCOMES = (*facts.STATUSES, _RETRIED, _LOST)
"""What came of an attempt: it ended its trial, failed and was repeated, or was lost."""


def timeline(ds: xr.Dataset) -> xr.Dataset:
    """Every attempt that ran, along `attempt`, by worker and beginning.

    `worker`, `host`, `job`, `trial`; `begin` and `end` in UTC; `duration` in s; `outcome`: completed,
    failed, cancelled, retried (failed, and its trial was tried again) or lost; `cause`; `idle` in s:
    since the worker's attempt before, NaN for its first.
    """
    found = [*_last_attempts(ds), *_earlier_attempts(ds)]
    found.sort(key=lambda item: (item["worker"], item["end"] - item["ran"]))
    end = np.array([item["end"] for item in found], dtype=np.float64)
    ran = np.array([item["ran"] for item in found], dtype=np.float64)
    names = np.array([item["worker"] for item in found], dtype=object)
    idle = np.full(len(found), np.nan)
    idle[1:] = np.where(names[1:] == names[:-1], np.maximum(0.0, (end - ran)[1:] - end[:-1]), np.nan)

    def texts(key: str, long_name: str) -> tuple[Any, dict[str, str]]:
        return np.array([str(item[key]) for item in found], dtype=object), {"long_name": long_name}

    columns: dict[str, tuple[Any, dict[str, str]]] = {
        "worker": (names, {"long_name": "worker"}),
        "host": texts("host", "host of the worker"),
        "job": texts("job", "batch job of the worker"),
        "trial": (np.array([item["trial"] for item in found], dtype=np.int64), {"long_name": "trial number"}),
        "begin": (_times(end - ran), {"long_name": "begin of the attempt"}),
        "end": (_times(end), {"long_name": "end of the attempt"}),
        "duration": (ran, {"long_name": "duration of the attempt", "units": "s"}),
        "outcome": texts("outcome", "what came of the attempt"),
        "cause": texts("cause", "why it brought no result"),
        "idle": (idle, {"long_name": "time since the worker's attempt before", "units": "s"}),
    }
    return xr.Dataset({name: ("attempt", values, attrs) for name, (values, attrs) in columns.items()})


def utilisation(ds: xr.Dataset) -> xr.Dataset:
    """How busy each worker was from its first attempt's begin to its last one's end, along `worker`.

    `busy` and `live` in h; `utilisation` from 0 to 1, busy by live; `attempts`, `lost`; `longest_idle`
    in s. `total_utilisation`: of all workers together, NaN where nothing ran.
    """
    attempts = timeline(ds)
    names, index = np.unique(facts.texts(attempts, "worker"), return_inverse=True)
    n = len(names)
    begin, end = attempts["begin"].values, attempts["end"].values
    first, last = np.full(n, np.datetime64("2262-01-01", "ns")), np.full(n, np.datetime64(0, "ns"))
    np.minimum.at(first, index, begin)
    np.maximum.at(last, index, end)
    busy = np.bincount(index, attempts["duration"].values, minlength=n) / facts.SECONDS_PER_HOUR
    live = (last - first) / np.timedelta64(1, "h")
    idle = np.zeros(n)
    np.fmax.at(idle, index, attempts["idle"].values)
    lost = np.bincount(index, attempts["outcome"].values == _LOST, minlength=n).astype(np.int64)
    columns: dict[str, tuple[Any, dict[str, str]]] = {
        "busy": (busy, {"long_name": "time in attempts", "units": "h"}),
        "live": (live, {"long_name": "time from first begin to last end", "units": "h"}),
        "utilisation": (_share(busy, live), {"long_name": "busy by live time", "units": "1"}),
        "attempts": (np.bincount(index, minlength=n), {"long_name": "attempts"}),
        "lost": (lost, {"long_name": "attempts that were lost"}),
        "longest_idle": (idle, {"long_name": "longest time between two attempts", "units": "s"}),
    }
    found = xr.Dataset(
        {name: ("worker", values, attrs) for name, (values, attrs) in columns.items()},
        coords={"worker": names.astype(object)},
    )
    total = _share(busy.sum(keepdims=True), live.sum(keepdims=True))[0]
    found["total_utilisation"] = ((), total, {"long_name": "busy by live time of all workers", "units": "1"})
    return found


def staleness(ds: xr.Dataset) -> xr.Dataset:
    """What each proposal had to do without, by trial number; added and retold results are left out.

    `outstanding`: trials asked and not told when it was made; `told`: results that it knew;
    `missing`: the share of the former in both.
    """
    proposed = ds.isel(trial=facts.is_own(ds)).sortby("trial")
    outstanding, told = proposed["staleness"].values, proposed["told"].values
    missing = _share(outstanding.astype(np.float64), (outstanding + told).astype(np.float64))
    return xr.Dataset(
        {
            "outstanding": ("trial", outstanding, {"long_name": "results outstanding when proposed"}),
            "told": ("trial", told, {"long_name": "results known when proposed"}),
            "missing": ("trial", missing, {"long_name": "share of results outstanding", "units": "1"}),
        },
        coords={"trial": proposed["trial"].variable},
    )


def cost(ds: xr.Dataset) -> xr.Dataset:
    """Where the core-hours went, along `outcome` (of attempts, as in `timeline`) and `cause`.

    `core_hours`, `attempts`. Causes that did not occur are left out; '' is none.
    """
    found = timeline(ds)
    causes = [str(cause) for cause in facts.CAUSES if cause == Cause.NONE or cause in found["cause"].values]
    outcomes = [str(outcome) for outcome in OUTCOMES]
    place = (
        np.array([outcomes.index(item) for item in found["outcome"].values], dtype=np.intp),
        np.array([causes.index(item) for item in found["cause"].values], dtype=np.intp),
    )
    spent, attempts = (
        np.zeros((len(outcomes), len(causes))),
        np.zeros((len(outcomes), len(causes)), dtype=int),
    )
    np.add.at(spent, place, found["duration"].values * facts.cores(ds) / facts.SECONDS_PER_HOUR)
    np.add.at(attempts, place, 1)
    dims = ("outcome", "cause")
    return xr.Dataset(
        {
            "core_hours": (dims, spent, {"long_name": "core-hours", "units": "h"}),
            "attempts": (dims, attempts, {"long_name": "attempts"}),
        },
        coords={"outcome": outcomes, "cause": causes},
    )


def core_hours(ds: xr.Dataset) -> NDArray[np.float64]:
    """(n,) of each trial: all its attempts together."""
    seconds = np.where(_is_run(ds), ds["duration"].values, 0.0)
    for row, attempts in _earlier(ds):
        seconds[row] += sum(attempt["ran_s"] for attempt in attempts)
    return np.asarray(seconds * facts.cores(ds) / facts.SECONDS_PER_HOUR, dtype=np.float64)


def _is_run(ds: xr.Dataset) -> NDArray[np.bool_]:
    """(n,) trials that an attempt's own report ended: no results known from elsewhere, no verdicts."""
    return np.asarray(
        facts.is_own(ds) & (facts.texts(ds, "worker") != "") & ~np.isnat(ds["started_at"].values)
    )


def _last_attempts(ds: xr.Dataset) -> list[dict[str, Any]]:
    """The attempts that ended their trial."""
    names = ("worker", "host", "job", "trial", "duration", "status", "cause")
    columns = {name: ds[name].values for name in names}
    ended = _seconds(ds["ended_at"].values)
    return [
        {
            **{key: columns[key][row] for key in ("worker", "host", "job", "trial")},
            "end": ended[row],
            "ran": columns["duration"][row],
            # Codes are no integers any more after `Dataset.where`.
            "outcome": facts.STATUSES[int(columns["status"][row])],
            "cause": facts.CAUSES[int(columns["cause"][row])],
        }
        for row in np.flatnonzero(_is_run(ds))
    ]


def _earlier_attempts(ds: xr.Dataset) -> list[dict[str, Any]]:
    """The attempts that did not end their trial."""
    return [
        {
            **{key: attempt[key] for key in ("worker", "host", "job", "cause")},
            "trial": ds["trial"].values[row],
            "end": attempt["ended_at"],
            "ran": attempt["ran_s"],
            "outcome": _LOST if attempt["is_lost"] else _RETRIED,
        }
        for row, attempts in _earlier(ds)
        for attempt in attempts
    ]


def _earlier(ds: xr.Dataset) -> list[tuple[int, list[dict[str, Any]]]]:
    if "earlier_attempts" not in ds:
        return []  # a view that an older asktell wrote
    return [(row, json.loads(text)) for row, text in enumerate(ds["earlier_attempts"].values) if text]


def _seconds(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Unix seconds; NaN where there is no time."""
    return np.asarray((times - np.datetime64(0, "s")) / np.timedelta64(1, "s"), dtype=np.float64)


def _times(seconds: NDArray[np.float64]) -> NDArray[np.datetime64]:
    return np.asarray((seconds * 1e6).round().astype("datetime64[us]").astype("datetime64[ns]"))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    share: NDArray[np.float64] = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return share
