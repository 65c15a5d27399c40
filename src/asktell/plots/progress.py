"""How a study came to its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import xarray as xr

from asktell.analysis import facts, optimum
from asktell.analysis.optimum import Axis
from asktell.analysis.surrogate import leave_one_out
from asktell.errors import StudyError
from asktell.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FARTHEST = 1e307  # where matplotlib's arithmetic overflows


def plot_convergence(ds: xr.Dataset, *, against: Axis = "count", ax: Axes | None = None) -> Axes:
    """Every trial's objective and the best so far, against trials, wall time or core-hours.

    Trials without a result are marked at the worse end. A few values far off do not squeeze the rest: the
    axis shows what lies within three times the spread of the better nine tenths.
    """
    name, sign = facts.only_objective(ds)
    ax = style.axes_or_new(ax)
    trace = optimum.trace(ds)
    x = _against(ax, trace, against)
    values = ds[name].values
    is_good, is_valid = facts.is_candidate(ds), facts.is_completed(ds)
    ax.set_ylabel(style.objective_label(ds, name))
    if not is_valid.any():
        return style.without_results(ax, ds)
    ends = telling_range(values[is_good], sign)
    if np.abs(values[is_valid] if ends is None else ends).max() > _FARTHEST:
        return style.empty(ax, f"values beyond {_FARTHEST:g} cannot be drawn")
    dots = style.dots(len(x))
    ax.scatter(x[is_good], values[is_good], color=style.GREY, label="trial", **dots)
    if (is_valid & ~is_good).any():
        rows = is_valid & ~is_good
        about = {"facecolors": "none", "edgecolors": style.ORANGE, "linewidths": 0.8}
        ax.scatter(x[rows], values[rows], label="outside the constraints", **{**dots, **about})
    ax.step(x, trace["best"].values, where="post", color=style.BLUE, label="best so far")
    if ends is not None:
        _zoom(ax, values[is_good], sign, ends)
    shade, height = 0.3 if len(x) > style.DENSE else 1.0, 0.02 if sign < 0 else 0.98
    marks: dict[str, Any] = {"s": 18, "linewidths": 1, "alpha": shade}
    style.cross_out(ax, ds, x, np.full(len(x), height), transform=ax.get_xaxis_transform(), **marks)
    style.legend_above(ax)
    return ax


def plot_regret(
    ds: xr.Dataset, optimum_value: float, *, against: Axis = "count", ax: Axes | None = None
) -> Axes:
    """The distance of the best so far from a known optimum, on a logarithmic axis."""
    ax = style.axes_or_new(ax)
    found = optimum.regret(ds, optimum_value)
    x, y = _against(ax, found, against), found["regret"].values
    ax.set_ylabel(style.derived_label(found["regret"]))
    is_shown = y > 0
    reached = "beyond the given optimum" if (y < 0).any() else "at the optimum"
    if not is_shown.any():
        if (y <= 0).any():
            return style.empty(ax, f"{reached}: no regret to show")
        return style.without_results(ax, ds)
    ax.step(x[is_shown], y[is_shown], where="post", color=style.BLUE)
    ax.set_yscale("log")
    style.spread_log(ax.yaxis, y[is_shown].max() / y[is_shown].min())
    ax.grid(alpha=0.3)
    if (y <= 0).any():
        ax.text(0.98, 0.95, f"then {reached}", transform=ax.transAxes, ha="right", fontsize=style.SMALL)
    return ax


def plot_hypervolume(ds: xr.Dataset, *, against: Axis = "count", ax: Axes | None = None) -> Axes:
    """What the results so far dominate together, for several objectives."""
    ax = style.axes_or_new(ax)
    found = optimum.hypervolume(ds)
    x = _against(ax, found, against)
    ax.set_ylabel(style.derived_label(found["hypervolume"]))
    if not facts.is_candidate(ds).any():
        return style.without_results(ax, ds)
    ax.step(x, found["hypervolume"].values, where="post", color=style.BLUE)
    ax.grid(alpha=0.3)
    return ax


def plot_pareto(
    ds: xr.Dataset, x: str | None = None, y: str | None = None, *, ax: Axes | None = None
) -> Axes:
    """Two objectives of every valid trial, and the trials that no other beats in all of the objectives.

    x, y: default the first two. With two objectives a line bounds what the front dominates.
    Raises StudyError for a study of one objective, and for unknown ones.
    """
    signs = facts.signs(ds)
    if len(signs) < 2:
        raise StudyError("the study has one objective; plot_convergence shows it")
    first, second, *_ = signs
    x, y = x or first, y or second
    for name in (x, y):
        if name not in signs:
            raise StudyError(f"there is no objective {name!r}; there are {', '.join(signs)}")
    ax = style.axes_or_new(ax)
    is_good, is_valid = facts.is_candidate(ds), facts.is_completed(ds)
    ax.set_xlabel(style.objective_label(ds, x))
    ax.set_ylabel(style.objective_label(ds, y))
    if not is_valid.any():
        return style.without_results(ax, ds)
    front = optimum.pareto(ds).sortby(x)
    dots = style.dots(ds.sizes["trial"])
    ax.scatter(ds[x].values[is_good], ds[y].values[is_good], color=style.GREY, label="trial", **dots)
    rows = is_valid & ~is_good
    if rows.any():
        about = {"facecolors": "none", "edgecolors": style.ORANGE, "linewidths": 0.8}
        ax.scatter(
            ds[x].values[rows], ds[y].values[rows], label="outside the constraints", **{**dots, **about}
        )
    if len(signs) == 2:
        # Between two points of the front, what both bound is worse than each in one objective.
        where: Literal["post", "pre"] = "post" if signs[x] > 0 else "pre"
        ax.step(front[x].values, front[y].values, where=where, color=style.BLUE, linewidth=1)
    ax.scatter(front[x].values, front[y].values, s=24, color=style.BLUE, label="not beaten", zorder=3)
    style.legend_above(ax)
    return ax


def plot_agreement(ds: xr.Dataset, of: str | None = None, *, ax: Axes | None = None) -> Axes:
    """What the surrogate says of each trial from all others, against what was found."""
    ax = style.axes_or_new(ax, (4.2, 4.0))
    found = leave_one_out(ds, of)
    observed, predicted = found["observed"].values, found["predicted"].values
    ends = [min(observed.min(), predicted.min()), max(observed.max(), predicted.max())]
    ax.plot(ends, ends, color=style.GREY, linewidth=1, linestyle="--")
    bars: dict[str, Any] = {"fmt": "o", "markersize": 3, "linewidth": 0.6, "alpha": 0.7}
    ax.errorbar(observed, predicted, 1.96 * found["std"].values, color=style.BLUE, **bars)
    ax.set_xlabel(style.derived_label(found["observed"]))
    ax.set_ylabel(style.label("predicted from the others", found["predicted"].attrs))
    share = 100 * float(found["coverage"])
    r2 = float(found["r2"])
    title = "nothing varies" if np.isnan(r2) else f"R² {r2:.2f}; {share:.0f} % within 95 % intervals"
    ax.set_title(title, fontsize=style.SMALL)
    return ax


def plot_comparison(compared: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """What `analysis.compare` returns: medians over studies, and 95 % intervals of them."""
    ax = style.axes_or_new(ax)
    axis: Axis = next(name for name in get_args(Axis) if name in compared.dims)
    compared = compared.dropna(axis, how="all", subset=["best"])
    x = _against(ax, compared, axis)
    for index, name in enumerate(compared["label"].values):
        one = compared.sel(label=name)
        kind = style.line_style(index)
        n = int(one["studies"])
        text = f"{name} ({n} {'study' if n == 1 else 'studies'})"
        ax.step(x, one["best"].values, where="post", label=text, **kind)
        band: dict[str, Any] = {"color": kind["color"], "alpha": 0.15, "linewidth": 0, "step": "post"}
        ax.fill_between(x, one["low"].values, one["high"].values, **band)
    ax.set_ylabel(style.label(f"best {compared.attrs['objective']} so far", compared["best"].attrs))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=style.SMALL, framealpha=0.85)
    return ax


def _against(ax: Axes, found: xr.Dataset, against: Axis) -> Any:
    """Values along the axis `against`, which gets its label, and room for all of them from 0."""
    optimum.check_axis(against)
    array = found[against]
    x, text = array.values, style.derived_label(array)
    if against == "wall_time":
        longest = float(np.nanmax(x, initial=0.0)) * facts.SECONDS_PER_HOUR
        seconds, unit = style.time_unit(longest)
        x, text = x * facts.SECONDS_PER_HOUR / seconds, f"{array.attrs['long_name']} ({unit})"
    elif against == "count":
        style.whole_numbers(ax.xaxis)
    ax.set_xlabel(text)
    ax.update_datalim([(0.0, 0.0), (float(np.nanmax(x, initial=0.0)), 0.0)], updatey=False)
    ax.autoscale_view(scaley=False)
    return x


def _zoom(ax: Axes, values: Any, sign: int, ends: tuple[float, float]) -> None:
    """Cut the axis where only a few bad values lie."""
    ax.set_ylim(*ends)
    n_worse = int((values > ends[1] if sign > 0 else values < ends[0]).sum())
    text, height = f"{n_worse} worse, not shown", 0.07 if sign < 0 else 0.93
    look: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": style.SMALL, "color": style.GREY}
    ax.text(0.98, height, text, transform=ax.transAxes, **look)


def telling_range(values: Any, sign: int) -> tuple[float, float] | None:
    """What an axis should show where a few bad values would squeeze the rest; None where they do not.

    values: (n,), of which NaN is left out; sign: -1 where high is good.
    """
    losses = np.sort(sign * values[np.isfinite(values)])
    if len(losses) < 10:
        return None
    edge = losses[int(0.9 * (len(losses) - 1))]
    with np.errstate(over="ignore"):
        worst = edge + 2.0 * (edge - losses[0])
    if losses[-1] <= worst:
        return None
    ends = sign * (losses[0] - 0.05 * (worst - losses[0])), sign * worst
    return min(ends), max(ends)
