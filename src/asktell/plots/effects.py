"""What the parameters do to a result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.analysis.forest import importance
from asktell.analysis.surrogate import Surrogate, partial_dependence
from asktell.errors import StudyError
from asktell.plots import style
from asktell.space.parameters import Choice
from asktell.trial import Origin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 30.0  # largest by smallest duration, above which the axis is logarithmic
_JITTER = 0.15
_PANEL = (2.6, 2.4)
_STAR: Mapping[str, Any] = {
    "marker": "*",
    "s": 110,
    "color": style.ORANGE,
    "edgecolors": "black",
    "linewidths": 0.8,
    "zorder": 4,
}
_INITIAL = (Origin.INITIAL, Origin.EARLIER)
_GIVEN = (Origin.QUEUED, Origin.ADDED, Origin.RETOLD)
_LEAST_EFFECT = 0.1  # of the scatter of the trials: a smaller one does not take all colours
TELLING = 0.1  # R² below which a forest knows next to nothing


def plot_objective(ds: xr.Dataset, x: str, y: str, of: str | None = None, *, ax: Axes | None = None) -> Axes:
    """The surrogate over two parameters, and the trials: initial, proposed (darker: later), given, best.

    Given are those that the engine did not choose: queued by hand, added or retold. The surface is
    averaged over the other parameters; blank where the space allows no point.
    """
    ax = style.axes_or_new(ax, (5.2, 4.0))
    name, varied = facts.objective(ds, of), facts.varied(ds)
    effect = partial_dependence(ds, [x, y], of)
    mean, _, _ = (item.values for item in effect.data_vars.values())
    style.prepare(ax, "x", ds, x, varied[x])
    style.prepare(ax, "y", ds, y, varied[y])
    if np.isnan(mean).all():
        return style.empty(ax, f"no trial tells of {x} and {y} together")
    grid = [style.level_places(effect[key].values, varied[key]) for key in (x, y)]
    low, high = _colour_limits(mean, ds[name].values)
    look: dict[str, Any] = {"cmap": style.MAP, "vmin": low, "vmax": high, "rasterized": True}
    image = ax.pcolormesh(*grid, mean.T, shading="nearest", **look)
    bar = ax.figure.colorbar(image, ax=ax)
    bar.set_label(style.label(name if len(varied) == 2 else f"{name}, averaged", ds[name].attrs))
    at = np.stack(
        [jittered(style.places(ds, key, varied[key]), varied[key], seed) for seed, key in enumerate((x, y))]
    )
    is_there = np.asarray(~np.isnan(at).any(axis=0))
    is_valid, origin = facts.is_completed(ds) & is_there, facts.texts(ds, "origin")
    first, given = (is_valid & np.isin(origin, kind) for kind in (_INITIAL, _GIVEN))
    later = is_valid & ~first & ~given
    is_dense = ds.sizes["trial"] > style.DENSE
    plain: dict[str, Any] = {"s": 16, "linewidths": 0.4}
    dots: dict[str, Any] = {"s": 3, "linewidths": 0, "alpha": 0.5} if is_dense else plain
    if later.any():
        number = ds["trial"].values[later]
        ax.scatter(at[0, later], at[1, later], c=number, cmap="Greys", vmin=-number.max() / 2,
                   edgecolors="white", label="proposed", **dots)  # fmt: skip
    if first.any():
        ax.scatter(at[0, first], at[1, first], marker="s", facecolors="white", edgecolors="black",
                   label="initial", **plain)  # fmt: skip
    if given.any():
        ax.scatter(at[0, given], at[1, given], marker="D", facecolors=style.SKY, edgecolors="white",
                   label="given", **dots)  # fmt: skip
    style.cross_out(ax, ds, at[0], at[1], **{**dots, "linewidths": 1})
    if name in facts.signs(ds) and (row := _best_row(ds)) is not None and is_there[row]:
        ax.scatter(at[0, row], at[1, row], label="best", **_STAR)
    ax.set_xlim(*style.limits(varied[x]))
    ax.set_ylim(*style.limits(varied[y]))
    style.legend_above(ax)
    return ax


def plot_slice(
    ds: xr.Dataset,
    parameter: str,
    of: str | None = None,
    *,
    model: Surrogate | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A result against one parameter: trials, and the surrogate's average over the others with its 95 % band.

    The band is drawn where trials lie, and a dotted line goes on beyond them. model: as for
    `partial_dependence`.
    """
    ax = style.axes_or_new(ax)
    name, varied = facts.objective(ds, of), facts.varied(ds)
    effect = partial_dependence(ds, parameter, of, model=model)
    kind = varied[parameter]
    _scatter(ax, ds, parameter, name)
    x = style.level_places(effect[parameter].values, kind)
    mean, std, support = (item.values for item in effect.data_vars.values())
    width = 1.96 * std
    if isinstance(kind, Choice):
        ax.errorbar(x, mean, width, fmt="D", color=style.BLUE, markersize=5, capsize=3)
    else:
        rows = np.flatnonzero(support)
        inside = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0)
        band: dict[str, Any] = {"color": style.BLUE, "alpha": 0.2, "linewidth": 0}
        ax.plot(x, mean, color=style.BLUE, linestyle=":", linewidth=1)
        ax.plot(x[inside], mean[inside], color=style.BLUE)
        ax.fill_between(x[inside], (mean - width)[inside], (mean + width)[inside], **band)
    ax.set_ylabel(style.objective_label(ds, name))
    return ax


def plot_slices(
    ds: xr.Dataset, parameters: Sequence[str] | None = None, of: str | None = None
) -> NDArray[Any]:
    """`plot_slice` for several parameters, default all, in a new figure; returns its axes."""
    varied = facts.varied(ds)
    names = list(varied) if parameters is None else list(parameters)
    if not names:
        raise StudyError(f"no parameter is named; name some of {', '.join(varied)}")
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    axes = style.new_axes(columns, (_PANEL[0] * columns, _PANEL[1] * rows), rows, sharey=True)
    model = Surrogate(ds, of)
    for place, (name, ax) in enumerate(zip(names, axes, strict=False)):
        plot_slice(ds, name, of, model=model, ax=ax)
        style.few_ticks(ax.xaxis, varied[name])
        ax.set_ylabel("" if place % columns else style.label(model.name, ds[model.name].attrs))
    for ax in axes[len(names) :]:
        ax.remove()
    return axes[: len(names)]


def plot_runtime(ds: xr.Dataset, parameter: str, *, ax: Axes | None = None) -> Axes:
    """How long evaluations took, against a parameter."""
    ax = style.axes_or_new(ax)
    _scatter(ax, ds, parameter, "duration", others=True)
    ax.set_ylabel("duration of the evaluation (s)")
    took = ds["duration"].values[ds["duration"].values > 0]
    if not len(took):
        return style.empty(
            ax, "no trial's duration is known" if ds.sizes["trial"] else "no trial has ended yet"
        )
    if took.max() > WIDE * took.min():
        ax.set_yscale("log")
        style.spread_log(ax.yaxis, took.max() / took.min())
    style.legend_above(ax)
    return ax


def plot_importance(ds: xr.Dataset, of: str | None = None, *, ax: Axes | None = None) -> Axes:
    """How much each parameter matters to a result, with 90 % intervals over repeated fits."""
    found = importance(ds, of)
    n = found.sizes["parameter"]
    ax = style.axes_or_new(ax, (5.0, 1.2 + 0.28 * n))
    mean = found["importance"].values
    bars = np.abs(np.stack([mean - found["low"].values, found["high"].values - mean]))
    ax.barh(np.arange(n), mean, color=style.SKY)
    ax.errorbar(mean, np.arange(n), xerr=bars, fmt="none", color=style.BLACK, linewidth=1, capsize=2)
    ax.set_yticks(np.arange(n), [str(name) for name in found["parameter"].values])
    ax.invert_yaxis()
    ax.axvline(0, color=style.GREY, linewidth=0.8)
    ax.set_xlabel(found["importance"].attrs["long_name"])
    score = float(found["score"])
    verdict = "" if score >= TELLING else ": too little to tell"
    ax.set_title(
        f"{found.attrs['trials']} trials; R² of unseen ones {score:.2f}{verdict}", fontsize=style.SMALL
    )
    return ax


def _scatter(ax: Axes, ds: xr.Dataset, parameter: str, name: str, *, others: bool = False) -> None:
    """A quantity of trials against a parameter, whose axis is prepared; the best one is marked.

    others: show trials without a result, too.
    """
    varied = facts.varied(ds)
    if parameter not in varied:
        raise StudyError(f"there is no parameter {parameter!r}; there are {', '.join(varied)}")
    kind = varied[parameter]
    x, y = jittered(style.places(ds, parameter, kind), kind), ds[name].values
    is_valid = facts.is_completed(ds)
    ax.scatter(x[is_valid], y[is_valid], color=style.GREY, label="completed", **style.dots(len(x)))
    if others:
        style.cross_out(ax, ds, x, np.where(y > 0, y, np.nan), s=18, linewidths=1)
    if (row := _best_row(ds)) is not None and not np.isnan(x[row]):
        ax.scatter(x[row], y[row], label="best", **_STAR)
    style.prepare(ax, "x", ds, parameter, kind)
    ax.set_xlim(*style.limits(kind))


def _colour_limits(mean: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float]:
    """The ends of a surface's scale: an effect far below the scatter of the trials looks flat."""
    low, high = float(np.nanmin(mean)), float(np.nanmax(mean))
    scatter = float(np.ptp(np.nanquantile(values, (0.1, 0.9))))
    margin = max(0.0, _LEAST_EFFECT * scatter - (high - low)) / 2
    return low - margin, high + margin


def _best_row(ds: xr.Dataset) -> int | None:
    """Where the incumbent stands; None where there is none, as with several objectives."""
    if len(facts.signs(ds)) > 1 or not facts.is_candidate(ds).any():
        return None
    return int(np.nanargmin(facts.losses(ds)[:, 0]))


def jittered(x: NDArray[np.float64], parameter: Any, seed: int = 0) -> NDArray[np.float64]:
    """Choices spread a little, so that trials do not hide each other; the same each time.

    seed: another one for each axis of a picture.
    """
    if not isinstance(parameter, Choice):
        return x
    return x + np.random.default_rng(seed).uniform(-_JITTER, _JITTER, len(x))
