"""The best that a study found, and how it got there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr

from asktell.analysis import facts
from asktell.analysis.workers import core_hours
from asktell.errors import StudyError
from asktell.optimize.hypervolume import hypervolume as volume
from asktell.optimize.hypervolume import is_efficient

Axis = Literal["count", "wall_time", "core_hours"]
"""What progress is drawn against."""


def check_axis(against: str) -> None:
    """Raises StudyError for what is no `Axis`."""
    if against not in get_args(Axis):
        raise StudyError(f"against is {against!r}; it is one of {', '.join(get_args(Axis))}")


def completed(ds: xr.Dataset) -> xr.Dataset:
    """The trials with a valid result, in the order in which they ended."""
    return ds.isel(trial=facts.is_completed(ds))


def incumbent(ds: xr.Dataset) -> xr.Dataset:
    """The best trial within all constraints, with all that is known of it; arrays stay lazy.

    Of equal ones the first that ended. Raises StudyError where there is none, or several objectives.
    """
    facts.only_objective(ds)
    loss = facts.losses(ds)[:, 0]
    if np.isnan(loss).all():
        raise StudyError("no trial has a valid result within all constraints, so there is no best one yet")
    return ds.isel(trial=int(np.nanargmin(loss)))


def trace(ds: xr.Dataset) -> xr.Dataset:
    """The best so far after each trial's end, against trials, wall time and core-hours.

    Along `trial`: `best` in the objective's own sign, NaN before the first valid result; `best_trial`
    its number, -1 before; `count` of trials that have ended; `wall_time` in h since the first proposal,
    pauses between sessions included, 0 for what was added or retold before; `core_hours` of all attempts
    so far, lost ones included.
    """
    name, sign = facts.only_objective(ds)
    loss = facts.losses(ds)[:, 0]
    best = np.fmin.accumulate(loss) if len(loss) else loss
    is_new = np.append(np.nan, best[:-1]) != best if len(best) else np.zeros(0, dtype=bool)
    is_new &= ~np.isnan(best)
    last = np.maximum.accumulate(np.where(is_new, np.arange(len(best)), -1)) if len(best) else is_new
    numbers = np.where(last >= 0, ds["trial"].values[last], -1) if len(best) else ds["trial"].values
    found = _against(ds)
    found["best"] = facts.described(
        xr.DataArray(sign * best, dims="trial"), ds[name], long_name=f"best {name} so far"
    )
    found["best_trial"] = facts.described(
        xr.DataArray(numbers, dims="trial"), long_name="number of the best trial so far"
    )
    found.attrs = {"objective": name, "title": ds.attrs.get("title", "")}
    return found


def regret(ds: xr.Dataset, optimum: float) -> xr.Dataset:
    """How far the best so far was from a known optimum after each trial's end: >= 0 if that is one."""
    name, sign = facts.only_objective(ds)
    found = trace(ds)
    distance = sign * (found["best"] - optimum)
    found["regret"] = facts.described(
        distance, ds[name], long_name=f"regret of the best {name} so far", optimum=str(float(optimum))
    )
    found["regret"].attrs.pop("direction", None)
    return found


def pareto(ds: xr.Dataset) -> xr.Dataset:
    """The trials that no other beats in all objectives, by the first of these; arrays stay lazy."""
    loss = facts.losses(ds)
    rows = np.flatnonzero(~np.isnan(loss).any(axis=1))
    rows = rows[is_efficient(loss[rows])]
    return ds.isel(trial=rows[np.argsort(loss[rows, 0], kind="stable")])


def hypervolume(ds: xr.Dataset, reference: Sequence[float] | None = None) -> xr.Dataset:
    """The volume that the results so far dominate after each trial's end.

    reference: a point that is worse in every objective, in their own signs; default: the worst valid
    value of each, which later trials can move. It stands in the attributes.
    """
    signs = np.array(list(facts.signs(ds).values()))
    loss = facts.losses(ds)
    valid = loss[~np.isnan(loss).any(axis=1)]
    if reference is None:
        corner = valid.max(axis=0) if len(valid) else np.full(len(signs), np.nan)
    else:
        corner = signs * np.asarray(reference, dtype=np.float64)
        if corner.shape != signs.shape:
            raise StudyError(
                f"reference has {corner.size} values; give one for each of {len(signs)} objectives"
            )
    volumes, front, reached = np.zeros(len(loss)), loss[:0], 0.0
    for row, point in enumerate(loss):
        if not (np.isnan(point).any() or (front <= point).all(axis=1).any()):
            front = np.vstack([front[~(point <= front).all(axis=1)], point])
            reached = volume(front, corner)
        volumes[row] = reached
    found = _against(ds)
    found["hypervolume"] = facts.described(
        xr.DataArray(volumes, dims="trial"), long_name="dominated hypervolume", units="1"
    )
    units = [str(ds[name].attrs.get("units", "1")) for name in facts.signs(ds)]
    found["hypervolume"].attrs["units"] = " ".join(unit for unit in units if unit != "1") or "1"
    found.attrs = {"reference": (signs * corner).tolist(), "objectives": list(facts.signs(ds))}
    return found


def _against(ds: xr.Dataset) -> xr.Dataset:
    """What progress is drawn against: coordinates along `trial`, in the order in which trials ended."""
    wall_time = np.maximum(0.0, facts.hours(ds["told_at"].values, facts.begun_at(ds)))
    coords = {
        "count": ("trial", np.arange(1, ds.sizes["trial"] + 1), {"long_name": "trials that have ended"}),
        "wall_time": ("trial", wall_time, {"long_name": "time since the first proposal", "units": "h"}),
        "core_hours": ("trial", core_hours(ds).cumsum(), {"long_name": "core-hours so far", "units": "h"}),
    }
    return xr.Dataset(coords={"trial": ds["trial"].variable, **coords})
