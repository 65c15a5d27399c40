"""Where in an output array the parameters show.

n  completed trials        p  predictors
x  (p, n) predictors, centred over the trials that have them
w  (q, n) 1 where a trial has a predictor, once for all predictors that the same trials have
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.analysis.blocks import BLOCK_BYTES
from asktell.errors import StudyError
from asktell.space import Categorical

Array = NDArray[np.float64]

_ROUNDING = 1e-12
_ELEMENTS = 4096  # of an output whose sums are taken together: so many fit the processor's cache


def correlation(ds: xr.Dataset, output: str) -> xr.DataArray:
    """Pearson's correlation of each element of an output with each parameter: (parameter, *output's dims).

    A number counts by its place between its bounds, in the logarithm where the space has it so; a category
    has an entry for each of its choices, 'method=fast', 1 where it was chosen and 0 elsewhere. A parameter
    is looked at in the trials that have it. NaN where something does not vary, or an output has NaN.
    Results that were told have no outputs, and do not count. Lazy: computing it reads each chunk once and
    holds few at a time. Raises StudyError where `output` is no array, and before there is one.
    """
    array = facts.output(ds, output)
    if "parameter" in array.dims:
        raise StudyError(
            f"{output!r} has a dimension 'parameter', as the result has; "
            "give it another name: ds.rename(parameter='item')"
        )
    if array.dtype.kind == "c":
        raise StudyError(
            f"{output!r} is complex; correlate a part of it: ds.assign({output}=ds.{output}.real)"
        )
    trials = ds.isel(trial=facts.has_outputs(ds))
    if not trials.sizes["trial"]:
        raise StudyError(f"no trial has left {output!r}, so there is nothing to correlate")
    names, x, is_there = _predictors(trials)
    count = np.maximum(is_there.sum(axis=1, keepdims=True), 1.0)
    x = is_there * (x - (is_there * x).sum(axis=1, keepdims=True) / count)
    w, which = np.unique(is_there, axis=0, return_inverse=True)
    products, sums, squares = _sums(trials[output], x, w)
    n = xr.DataArray(w.sum(axis=1).clip(min=1.0), dims="parameter")
    # Rounding leaves a little where nothing varies.
    variation = squares - sums**2 / n
    variation = variation.where(variation > _ROUNDING * squares).isel(parameter=which.ravel())
    x_variation = xr.DataArray((x * x).sum(axis=1), dims="parameter")
    x_variation = x_variation.where(x_variation > _ROUNDING * count[:, 0])
    found = (products / np.sqrt(variation * x_variation)).clip(-1.0, 1.0)
    kept = {name: item for name, item in ds[output].coords.items() if "trial" not in item.dims}
    found = found.assign_coords(kept).assign_coords(parameter=names)
    return facts.described(
        found.rename("correlation"), long_name=f"correlation of {output} with the parameter", units="1"
    )


def _sums(array: xr.DataArray, x: Array, w: Array) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Lazy sums over trials of x y, w y and w y^2: (p or q, *output's dims).

    y is counted from the first trial's, so that sums of squares lose no digits to a mean that is not
    known before the last chunk is read.
    """
    import dask.array as da

    dims = [str(dim) for dim in array.dims if dim != "trial"]
    y = array.transpose("trial", *dims).chunk().data
    rows = max(1, BLOCK_BYTES // max(1, math.prod(y.chunksize[1:]) * y.dtype.itemsize))
    y = y.rechunk({0: rows})
    known = da.from_array(np.vstack([x, w]), chunks=(-1, rows))
    p, q = len(x), len(w)
    trial, total, predictor, *rest = range(3 + len(dims))
    blocks = da.blockwise(
        _block_sums, (trial, total, *rest), y, (trial, *rest), known, (predictor, trial), y[0], tuple(rest),
        p=p, new_axes={total: p + 2 * q}, adjust_chunks={trial: 1}, concatenate=True, dtype=np.float64,
    )  # fmt: skip
    totals = xr.DataArray(blocks.sum(axis=0), dims=("parameter", *dims))
    products, sums, squares = (slice(p), slice(p, p + q), slice(p + q, None))
    return totals[products], totals[sums], totals[squares]


def _block_sums(y: Array, known: Array, first: Array, *, p: int) -> Array:
    """Those sums over the trials of one block: (1, p + 2 q, *dims). known: (p + q, trials) x, then w."""
    w = known[p:]
    sums = np.empty((len(known) + len(w), first.size))
    flat, origin = y.reshape(len(y), -1), first.reshape(-1).astype(np.float64)
    for start in range(0, first.size, _ELEMENTS):
        here = slice(start, start + _ELEMENTS)
        part = flat[:, here] - origin[here]
        sums[: len(known), here] = known @ part
        sums[len(known) :, here] = w @ (part * part)
    return sums.reshape(1, len(sums), *y.shape[1:])


def _predictors(trials: xr.Dataset) -> tuple[list[str], Array, Array]:
    """Names, x and where trials have it, both (p, n) and x not yet centred."""
    unit = facts.unit(trials)
    names, x, is_there = [], [], []
    for column, (name, parameter) in zip(unit.T, facts.varied(trials).items(), strict=True):
        is_active = facts.activity(trials, name, parameter)
        if isinstance(parameter, Categorical):
            for place, choice in enumerate(parameter.choices):
                names.append(f"{name}={choice}")
                x.append(np.floor(column * parameter.cardinality) == place)
                is_there.append(is_active)
        else:
            names.append(name)
            x.append(column)
            is_there.append(is_active)
    return names, np.array(x, dtype=np.float64), np.array(is_there, dtype=np.float64)
