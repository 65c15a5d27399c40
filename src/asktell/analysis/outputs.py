"""Where in an output array the parameters show.

n  completed trials        p  predictors
x  (p, n) predictors, centred over the trials that have them        w  (p, n) 1 where they have it
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.errors import StudyError
from asktell.space import Categorical

Array = NDArray[np.float64]


def correlation(ds: xr.Dataset, output: str) -> xr.DataArray:
    """Pearson's correlation of each element of an output with each parameter: (parameter, *output's dims).

    A number counts by its place between its bounds, in the logarithm where the space has it so; a category
    has an entry for each of its choices, 'method=fast', 1 where it was chosen and 0 elsewhere. A parameter
    is looked at in the trials that have it. NaN where something does not vary, or an output has NaN.
    Lazy where the output is: computing it reads each chunk once and holds few at a time.
    """
    if output not in ds or "trial" not in ds[output].dims or ds[output].ndim < 2:
        arrays = [str(name) for name, item in ds.data_vars.items() if item.ndim > 1]
        raise StudyError(f"{output!r} is no output array; there are {', '.join(arrays) or 'none'}")
    trials = ds.isel(trial=facts.is_completed(ds))
    if not trials.sizes["trial"]:
        raise StudyError("no trial has completed, so there is nothing to correlate")
    names, x, w = _predictors(trials)
    count = w.sum(axis=1, keepdims=True)
    x = w * (x - (w * x).sum(axis=1, keepdims=True) / np.maximum(count, 1.0))
    predictors = xr.DataArray(np.stack([x, w]), dims=("kind", "parameter", "trial"))
    y = trials[output].drop_vars(trials[output].coords).astype(np.float64)
    # One pass over the chunks: sums of squares about the first trial's value, not about a mean not known yet.
    y = y - y.isel(trial=0)
    with_x, plain = (xr.dot(predictors.isel(kind=kind), y, dim="trial") for kind in range(2))
    squares = xr.dot(predictors.isel(kind=1), y * y, dim="trial")
    n = xr.DataArray(np.maximum(count[:, 0], 1.0), dims="parameter")
    spread = (squares - plain**2 / n) * xr.DataArray((x * x).sum(axis=1), dims="parameter")
    # Rounding leaves a little where nothing varies.
    is_varied = spread > 1e-12 * squares * xr.DataArray((x * x).sum(axis=1), dims="parameter")
    found = (with_x / np.sqrt(spread.where(is_varied))).clip(-1.0, 1.0)
    kept = {name: item for name, item in ds[output].coords.items() if "trial" not in item.dims}
    found = found.assign_coords(kept).assign_coords(parameter=names)
    return facts.described(
        found.rename("correlation"), long_name=f"correlation of {output} with the parameter", units="1"
    )


def _predictors(trials: xr.Dataset) -> tuple[list[str], Array, Array]:
    """(names, x, w), not yet centred."""
    unit = facts.unit(trials)
    names, x, w = [], [], []
    for column, (name, parameter) in zip(unit.T, facts.varied(trials).items(), strict=True):
        is_active = facts.activity(trials, name, parameter)
        if isinstance(parameter, Categorical):
            for place, choice in enumerate(parameter.choices):
                names.append(f"{name}={choice}")
                x.append(np.floor(column * parameter.cardinality) == place)
                w.append(is_active)
        else:
            names.append(name)
            x.append(column)
            w.append(is_active)
    return names, np.array(x, dtype=np.float64), np.array(w, dtype=np.float64)
