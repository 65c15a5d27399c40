"""Arrays that trials have left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts, optimum
from asktell.errors import StudyError
from asktell.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

_MOST_NAMED = 30


def plot_array(
    array: xr.DataArray,
    *,
    ax: Axes | None = None,
    limits: tuple[float, float] | None = None,
    colours: str | None = None,
) -> Axes:
    """An array of one or two dimensions, such as a correlation: a line, or a picture with its scale.

    limits: of the scale, default from end to end, or around 0 where there are values of both signs;
    colours: a colour map of matplotlib's. What has no value is grey. Raises StudyError for more dimensions.
    """
    ax = style.axes_or_new(ax, (4.4, 3.6), layout="compressed" if array.ndim == 2 else "constrained")
    array = _check(array).load()
    if not _has_values(array):
        return style.empty(ax, f"{array.name} has no value here")
    if array.ndim == 1:
        _draw_line(ax, array, **style.line_style(0))
    else:
        image = _draw_image(ax, array, limits or _limits([array]), colours)
        ax.figure.colorbar(image, ax=ax).set_label(style.label(str(array.name), array.attrs))
    return ax


def plot_output(ds: xr.Dataset, output: str, trial: int, *, ax: Axes | None = None) -> Axes:
    """One trial's array; loads no other. Of more than two dimensions select some first: `ds.isel(z=0)`.

    Raises StudyError for what is no output, and for a trial that has not ended.
    """
    array = facts.output(ds, output)
    rows = np.flatnonzero(ds["trial"].values == trial)
    if not len(rows):
        raise StudyError(f"trial {trial} has not ended; {ds.sizes['trial']} others have")
    return plot_array(array.isel(trial=int(rows[0])), ax=ax)


def plot_best_and_median(ds: xr.Dataset, output: str, axes: Sequence[Axes] | None = None) -> NDArray[Any]:
    """The best trial's array beside that of the trial in the middle, on one scale; returns the axes.

    Results that were told have no outputs, and do not count. axes: two of them, or one for a line. Loads
    these two arrays only.
    """
    facts.output(ds, output)
    ds = ds.isel(trial=facts.has_outputs(ds))
    best, median = optimum.incumbent(ds), _median(ds)
    pair = [_check(one[output]).load() for one in (best, median)]
    titles = [style.trial_title(best, "best"), style.trial_title(median, "median")]
    if pair[0].ndim == 1:
        ax = style.axes_or_new(axes[0] if axes is not None else None)
        for index, (array, title) in enumerate(zip(pair, titles, strict=True)):
            _draw_line(ax, array, label=title, **style.line_style(index))
        ax.legend(fontsize=style.SMALL)
        return np.array([ax])
    both = np.array(list(axes)) if axes is not None else style.new_axes(2, (8.0, 3.6), layout="compressed")
    if not all(map(_has_values, pair)):
        return np.array([style.empty(ax, f"{output} has no value here") for ax in both])
    for ax, array, title in zip(both, pair, titles, strict=True):
        image = _draw_image(ax, array, _limits(pair))
        ax.set_title(title, fontsize=style.SMALL + 1)
    both[0].figure.colorbar(image, ax=list(both)).set_label(style.label(output, ds[output].attrs))
    return both


def _median(ds: xr.Dataset) -> xr.Dataset:
    loss = facts.losses(ds)[:, 0]
    order = np.argsort(loss, kind="stable")[: int((~np.isnan(loss)).sum())]
    return ds.isel(trial=int(order[len(order) // 2]))


def _check(array: xr.DataArray) -> xr.DataArray:
    if array.ndim not in (1, 2):
        raise StudyError(
            f"{array.name!r} has dimensions ({', '.join(map(str, array.dims))}), a picture has one or two; "
            "select some of it first: .isel(z=0)"
        )
    if array.dtype.kind == "c":
        raise StudyError(f"{array.name!r} is complex; a picture shows a part of it, such as abs(array)")
    return array


def _has_values(array: xr.DataArray) -> bool:
    return bool(array.notnull().any())


def _limits(arrays: Sequence[xr.DataArray]) -> tuple[float, float]:
    """The ends of a scale for all of them; around 0 where there are values of both signs."""
    values = np.concatenate([array.values.ravel().astype(np.float64) for array in arrays])
    values = values[np.isfinite(values)]
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    most = max(abs(low), abs(high))
    return (-most, most) if low < 0 < high else (low, high)


def _draw_line(ax: Axes, array: xr.DataArray, **look: Any) -> None:
    (dim,) = array.dims
    ax.plot(_along(array, str(dim)), array.values, **look)
    ax.set_xlabel(style.label(str(dim), array[dim].attrs))
    ax.set_ylabel(style.label(str(array.name), array.attrs))


def _along(array: xr.DataArray, dim: str) -> NDArray[Any]:
    values = array[dim].values
    return values if values.dtype.kind in "biufM" else np.arange(len(values))


def _draw_image(
    ax: Axes, array: xr.DataArray, limits: tuple[float, float], colours: str | None = None
) -> Any:
    """Rows from top to bottom where they are named, from bottom to top where they are numbers."""
    down, across = map(str, array.dims)
    low, high = limits
    colours = colours or (style.SIGNED if low < 0 < high else style.ARRAYS)
    ax.set_facecolor(style.PALE)
    is_named = array[down].dtype.kind not in "biufM"
    image = ax.pcolormesh(
        np.arange(array.sizes[across]) if array[across].dtype.kind not in "biufM" else array[across].values,
        np.arange(array.sizes[down]) if is_named else array[down].values,
        array.values, cmap=colours, vmin=low, vmax=high, shading="nearest", rasterized=True,
    )  # fmt: skip
    _name(ax.xaxis, array, across, rotation=90)
    _name(ax.yaxis, array, down)
    if is_named:
        ax.invert_yaxis()
    if array.sizes[down] == array.sizes[across]:
        ax.set_aspect("equal" if is_named else "auto")
    return image


def _name(axis: Axis, array: xr.DataArray, dim: str, rotation: float = 0) -> None:
    axis.set_label_text(style.label(dim, array[dim].attrs))
    values = array[dim].values
    if values.dtype.kind not in "biufM":
        places = np.arange(0, len(values), -(-len(values) // _MOST_NAMED))
        words = [style.short(values[place]) for place in places]
        axis.set_ticks(places, words, fontsize=style.SMALL - 1, rotation=rotation)
