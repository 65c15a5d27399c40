"""What a study's dataset says about the study: its space, objectives, trials that count.

n  trials        m  objectives        d  columns of the unit cube
"""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.errors import StudyError
from asktell.space import Constant, Parameter, Space
from asktell.space.parameters import Choice
from asktell.space.space import INACTIVE
from asktell.trial import Cause, Origin, Status

Array = NDArray[np.float64]

STATUSES = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
"""By code, as the store writes them."""

CAUSES = tuple(Cause)
"""By code, as the store writes them."""

_ELSEWHERE = (Origin.ADDED, Origin.RETOLD)

SECONDS_PER_HOUR = 3600.0


def space(ds: xr.Dataset) -> Space:
    """The search space. Raises StudyError where the dataset does not say."""
    return Space.from_specification(json.loads(_attribute(ds, "space")))


def cores(ds: xr.Dataset) -> int:
    """Cores that one evaluation used."""
    return int(_attribute(ds, "cpus_per_trial"))


def signs(ds: xr.Dataset) -> dict[str, int]:
    """By objective: 1 where it is minimised, -1 where it is maximised."""
    directions = json.loads(_attribute(ds, "directions"))
    return {name: -1 if direction == "maximize" else 1 for name, direction in directions.items()}


def objective(ds: xr.Dataset, of: str | None = None) -> str:
    """The variable that a question is about: `of`, else the first objective."""
    name = next(iter(signs(ds))) if of is None else of
    if name not in ds or ds[name].dims != ("trial",) or ds[name].dtype.kind not in "biuf":
        numbers = [
            str(key)
            for key, item in ds.data_vars.items()
            if item.dims == ("trial",) and item.dtype.kind in "biuf"
        ]
        raise StudyError(f"{name!r} is no number of each trial; there are {', '.join(numbers)}")
    return name


def output(ds: xr.Dataset, name: str) -> xr.DataArray:
    """An array that each trial left, lazy. Raises StudyError where there is none of that name."""
    if name not in ds or "trial" not in ds[name].dims or ds[name].ndim < 2:
        arrays = [str(key) for key, item in ds.data_vars.items() if item.ndim > 1]
        raise StudyError(f"{name!r} is no output array; there are {', '.join(arrays) or 'none'}")
    return ds[name]


def only_objective(ds: xr.Dataset) -> tuple[str, int]:
    """(name, sign) of a study's one objective. Raises StudyError where there are several."""
    found = signs(ds)
    if len(found) > 1:
        raise StudyError(f"there is no best of {len(found)} objectives; use pareto and hypervolume")
    return next(iter(found.items()))


def is_completed(ds: xr.Dataset) -> NDArray[np.bool_]:
    """(n,) trials with a valid result."""
    return np.asarray(ds["status"].values == STATUSES.index(Status.COMPLETED))


def is_candidate(ds: xr.Dataset) -> NDArray[np.bool_]:
    """(n,) trials that may be the best: completed, and within the outcome constraints."""
    return np.asarray(is_completed(ds) & (ds["feasible"].values == 1))


def is_own(ds: xr.Dataset) -> NDArray[np.bool_]:
    """(n,) trials that this study proposed and ran: no results known from elsewhere, no retold ones."""
    return ~np.isin(texts(ds, "origin"), _ELSEWHERE)


def has_outputs(ds: xr.Dataset) -> NDArray[np.bool_]:
    """(n,) completed trials that left their outputs: those that a worker evaluated.

    A result that somebody told has none; what the dataset holds for it is the fill value.
    """
    return np.asarray(is_completed(ds) & (texts(ds, "worker") != ""))


def texts(ds: xr.Dataset, name: str) -> NDArray[np.object_]:
    """A variable of texts, whichever of numpy's types it came in."""
    return np.asarray(ds[name].values, dtype=object)


def losses(ds: xr.Dataset) -> Array:
    """(n, m) objectives, minimised; NaN where a trial cannot be the best."""
    found = np.stack([sign * ds[name].values for name, sign in signs(ds).items()], axis=1)
    return np.where(is_candidate(ds)[:, None], found, np.nan)


def varied(ds: xr.Dataset) -> dict[str, Parameter]:
    """The parameters that are no constants, by name."""
    return {name: item for name, item in space(ds).parameters.items() if not isinstance(item, Constant)}


def activity(ds: xr.Dataset, name: str, parameter: Parameter) -> NDArray[np.bool_]:
    """(n,) trials in which the parameter exists."""
    if isinstance(parameter, Choice | Constant) and f"{name}_code" in ds:
        return np.asarray(ds[f"{name}_code"].values >= 0)
    values = ds[name].values
    return np.asarray(~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool))


def unit(ds: xr.Dataset) -> Array:
    """(n, d) places in the unit cube; 0.5 where a parameter is inactive, as in a Space."""
    columns = []
    for name, parameter in varied(ds).items():
        is_active = activity(ds, name, parameter)
        column = np.full(len(is_active), INACTIVE)
        if isinstance(parameter, Choice):
            codes = ds[f"{name}_code"] if f"{name}_code" in ds else ds[name]
            column[is_active] = (codes.values[is_active].astype(np.float64) + 0.5) / parameter.cardinality
        else:
            column[is_active] = parameter.to_unit(ds[name].values[is_active].tolist())
        columns.append(column)
    return np.stack(columns, axis=1)


def hours(times: NDArray[np.datetime64], since: np.datetime64) -> Array:
    """Hours from a time to others; NaN where there is no time."""
    seconds = (times - since) / np.timedelta64(1, "s")
    return np.asarray(seconds, dtype=np.float64) / SECONDS_PER_HOUR


def begun_at(ds: xr.Dataset) -> np.datetime64:
    """When the study proposed its first point, else when it was first told; NaT before any trial."""
    for times in (ds["asked_at"].values[is_own(ds)], ds["told_at"].values):
        known = times[~np.isnat(times)]
        if len(known):
            return np.datetime64(known.min())
    return np.datetime64("NaT", "ns")


def described(values: xr.DataArray, like: xr.DataArray | None = None, **attrs: str) -> xr.DataArray:
    """`values` with the units and name of what they derive from, and attributes of their own."""
    kept = (
        {} if like is None else {key: like.attrs[key] for key in ("units", "direction") if key in like.attrs}
    )
    values.attrs = {**kept, **attrs}
    return values


def _attribute(ds: xr.Dataset, name: str) -> str:
    if name not in ds.attrs:
        raise StudyError(
            f"the dataset has no attribute {name!r}, so it is not a study's as `asktell.open` gives it; "
            "`asktell consolidate DIR` brings an older study up to date"
        )
    return str(ds.attrs[name])
