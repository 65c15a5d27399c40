"""Studies beside each other: schedules, engines, worker counts.

s  studies of one label        r  bootstrap samples        g  points of the axis
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.analysis.optimum import Axis, check_axis, trace
from asktell.errors import StudyError

Array = NDArray[np.float64]

_POINTS = 200
_SAMPLES = 2000
_INTERVAL = (0.025, 0.975)


def compare(
    studies: Mapping[str, xr.Dataset | Sequence[xr.Dataset]], *, against: Axis = "count", seed: int = 0
) -> xr.Dataset:
    """The best so far of studies of the same objective, by label, against trials, wall time or core-hours.

    studies: one or, better, several of each label, repeated with other seeds. Along `label` and the axis:
    `best`, the median over studies; `low` and `high`, a 95 % bootstrap interval of that median. NaN before
    each study has a valid result and beyond the shortest one's end; a single study has no interval.
    Along `label`: `difference` of the median to the first label's at the last point that all studies
    reach, with `difference_low` and `difference_high`; `studies`, how many there are.
    Raises StudyError where the objectives differ.
    """
    check_axis(against)
    groups = {label: [one] if isinstance(one, xr.Dataset) else list(one) for label, one in studies.items()}
    if not groups or not all(groups.values()):
        raise StudyError("there is nothing to compare; give at least one study for each label")
    _check_objectives([one for group in groups.values() for one in group])
    traces = {label: [trace(one) for one in group] for label, group in groups.items()}
    ends = [float(np.nanmax(one[against], initial=0.0)) for group in traces.values() for one in group]
    axis = _axis(against, max(ends))
    first = next(iter(traces.values()))[0]
    found = xr.Dataset(coords={"label": list(groups), against: (against, axis, first[against].attrs)})
    rng = np.random.default_rng(seed)
    common = max(0, int(np.searchsorted(axis, min(ends), side="right")) - 1)
    curves, medians = [], []
    for group in traces.values():
        values = np.array([_on(axis, one, against) for one in group])
        samples = np.median(values[rng.integers(len(values), size=(_SAMPLES, len(values)))], axis=1)
        interval = (
            np.quantile(samples, _INTERVAL, axis=0) if len(values) > 1 else np.full((2, len(axis)), np.nan)
        )
        curves.append(np.vstack([np.median(values, axis=0), interval]))
        medians.append(samples[:, common])
    for name, values, text in zip(
        ("best", "low", "high"),
        np.moveaxis(np.array(curves), 1, 0),
        ("median", "2.5 %", "97.5 %"),
        strict=True,
    ):
        array = xr.DataArray(values, dims=("label", against))
        text = f"{first['best'].attrs['long_name']} ({text})"
        found[name] = facts.described(array, first["best"], long_name=text)
    _add_differences(found, np.array(medians), common, against)
    found["studies"] = ("label", [len(group) for group in groups.values()], {"long_name": "studies"})
    found.attrs = dict(first.attrs)
    return found


def _add_differences(found: xr.Dataset, medians: Array, common: int, against: Axis) -> None:
    """medians: (labels, r) at the last common point of the axis."""
    best = found["best"].isel({against: common})
    is_single = np.isnan(found["low"].isel({against: common}).values)
    low, high = np.quantile(medians - medians[:1], _INTERVAL, axis=1)
    unknown = is_single | is_single[0] | (np.arange(len(medians)) == 0)
    text = f"difference to {found['label'].values[0]} at {against} {float(found[against][common]):g}"
    for name, values in (
        ("difference", best.values - best.values[0]),
        ("difference_low", np.where(unknown, np.nan, low)),
        ("difference_high", np.where(unknown, np.nan, high)),
    ):
        array = xr.DataArray(values, dims="label")
        found[name] = facts.described(array, found["best"], long_name=text)


def _axis(against: Axis, end: float) -> NDArray[np.number]:
    if against == "count":
        return np.arange(1, max(1, round(end)) + 1)
    return np.linspace(0.0, end, _POINTS)


def _on(axis: NDArray[np.number], one: xr.Dataset, against: Axis) -> Array:
    """A trace at the points of the axis: (g,); NaN before its first value and beyond its end."""
    ends, best = one[against].values, one["best"].values
    if not len(ends):
        return np.full(len(axis), np.nan)
    last = np.searchsorted(ends, axis, side="right") - 1
    return np.where((last >= 0) & (axis <= ends[-1] * (1 + 1e-12)), best[last], np.nan)


def _check_objectives(studies: Sequence[xr.Dataset]) -> None:
    found = [facts.only_objective(one) for one in studies]
    for one, other in zip(studies, found, strict=True):
        if other != found[0]:
            raise StudyError(
                f"{one.attrs.get('title', 'a study')!r} is about {other[0]!r}, the first study about "
                f"{found[0][0]!r}; only studies of the same objective can be compared"
            )
