"""Where in an output array the parameters show.

n  completed trials        p  predictors
x  (p, n) predictors, centred over the trials that have them        w  (p, n) 1 where they have it
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.errors import StudyError
from asktell.space import Categorical

Array = NDArray[np.float64]

_BLOCK_BYTES = 8 * 1024 * 1024  # of an output that are looked at together
_ROUNDING = 1e-12


def correlation(ds: xr.Dataset, output: str) -> xr.DataArray:
    """Pearson's correlation of each element of an output with each parameter: (parameter, *output's dims).

    A number counts by its place between its bounds, in the logarithm where the space has it so; a category
    has an entry for each of its choices, 'method=fast', 1 where it was chosen and 0 elsewhere. A parameter
    is looked at in the trials that have it. NaN where something does not vary, or an output has NaN.
    Lazy: computing it reads each chunk once and holds few at a time. Raises StudyError where `output` is no
    array, and before the first trial has completed.
    """
    if facts.output(ds, output).dtype.kind == "c":
        raise StudyError(
            f"{output!r} is complex; correlate a part of it: ds.assign({output}=ds.{output}.real)"
        )
    trials = ds.isel(trial=facts.is_completed(ds))
    if not trials.sizes["trial"]:
        raise StudyError("no trial has completed, so there is nothing to correlate")
    names, x, w = _predictors(trials)
    count = np.maximum(w.sum(axis=1, keepdims=True), 1.0)
    x = w * (x - (w * x).sum(axis=1, keepdims=True) / count)
    products, sums, squares = _sums(trials[output], np.stack([x, w]))
    n = xr.DataArray(count[:, 0], dims="parameter")
    spread = (squares - sums**2 / n) * xr.DataArray((x * x).sum(axis=1), dims="parameter")
    # Rounding leaves a little where nothing varies.
    is_varied = spread > _ROUNDING * squares * xr.DataArray((x * x).sum(axis=1), dims="parameter")
    found = (products / np.sqrt(spread.where(is_varied))).clip(-1.0, 1.0)
    kept = {name: item for name, item in ds[output].coords.items() if "trial" not in item.dims}
    found = found.assign_coords(kept).assign_coords(parameter=names)
    return facts.described(
        found.rename("correlation"), long_name=f"correlation of {output} with the parameter", units="1"
    )


def _sums(array: xr.DataArray, predictors: Array) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Lazy sums over trials of x y, w y and w y^2: (parameter, *output's dims) each.

    predictors: (2, p, n) x and w. y is counted from the first trial's, so that sums of squares lose no
    digits to a mean that is not known before the last chunk is read.
    """
    import dask.array as da

    dims = [str(dim) for dim in array.dims if dim != "trial"]
    y = array.transpose("trial", *dims).chunk().data
    rows = max(1, _BLOCK_BYTES // (math.prod(y.chunksize[1:]) * y.dtype.itemsize))
    y = y.rechunk({0: rows})
    known = da.from_array(predictors, chunks=(-1, -1, rows))
    trial, kind, parameter, *rest = range(3 + len(dims))
    blocks = da.blockwise(
        _block_sums, (trial, kind, parameter, *rest),
        y, (trial, *rest), known, (kind + len(dims) + 3, parameter, trial), y[0], tuple(rest),
        new_axes={kind: 3}, adjust_chunks={trial: 1}, concatenate=True, dtype=np.float64,
    )  # fmt: skip
    total = xr.DataArray(blocks.sum(axis=0), dims=("kind", "parameter", *dims))
    return total.isel(kind=0), total.isel(kind=1), total.isel(kind=2)


def _block_sums(y: Array, predictors: Array, first: Array) -> Array:
    """Those sums over the trials of one block: (1, 3, p, *dims)."""
    x, w = predictors
    flat = (y.astype(np.float64) - first).reshape(len(y), -1)
    sums = np.stack([x @ flat, w @ flat, w @ (flat * flat)])
    return sums.reshape(1, 3, len(x), *y.shape[1:])


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
