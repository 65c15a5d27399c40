"""All parameters of many trials at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.plots import style
from asktell.space import Parameter
from asktell.space.parameters import Choice
from asktell.wording import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 200  # lines
_ENDS = 0.03


def plot_parallel(ds: xr.Dataset, of: str | None = None, *, ax: Axes | None = None) -> Axes:
    """A line for each completed trial through all of its parameters, darker the better its result.

    A line is broken where a parameter does not exist. Each axis goes from bound to bound, in the logarithm
    where the space has it so. Of many trials some are drawn, evenly by rank.
    """
    from matplotlib.collections import LineCollection

    name, varied = facts.objective(ds, of), facts.varied(ds)
    ax = style.axes_or_new(ax, (1.6 + 0.85 * len(varied), 3.8))
    trials = ds.isel(trial=facts.is_completed(ds) & np.isfinite(ds[name].values))
    if not trials.sizes["trial"]:
        return style.without_results(ax, ds)
    sign = facts.signs(ds).get(name, 1)
    order = np.argsort(sign * trials[name].values, kind="stable")
    best = order[facts.is_candidate(trials)[order]][:1]
    if len(order) > _MOST:
        order = order[np.linspace(0, len(order) - 1, _MOST).astype(int)]
    order = order[::-1]  # the better on top
    x, y, values = np.arange(len(varied)), _heights(trials, varied), trials[name].values
    colours = f"{style.MAP}_r" if sign < 0 else style.MAP
    lines = LineCollection([np.column_stack([x, y[row]]) for row in order], cmap=colours, linewidths=1)
    lines.set_array(values[order])
    lines.set_clim(values.min(), values.max())
    ax.add_collection(lines)
    is_alone = ~np.isnan(y[order]) & ~_has_neighbour(y[order])
    rows, columns = np.nonzero(is_alone)
    dots: dict[str, Any] = {
        "c": values[order[rows]],
        "cmap": lines.cmap,
        "norm": lines.norm,
        "s": 9,
        "zorder": 3,
    }
    ax.scatter(x[columns], y[order[rows], columns], **dots)
    for row in best:
        ax.plot(x, y[row], "o-", color=style.VERMILLION, linewidth=2, markersize=4, label=_best(ds, name))
        ax.legend(fontsize=style.SMALL, loc="lower right", bbox_to_anchor=(1.0, 1.0), frameon=False)
    ax.figure.colorbar(lines, ax=ax).set_label(style.objective_label(ds, name))
    _draw_axes(ax, ds, varied)
    return ax


def _best(ds: xr.Dataset, name: str) -> str:
    """What the best line is the best of."""
    signs = facts.signs(ds)
    if name not in signs:
        return f"lowest {name}"
    return "best" if len(signs) == 1 else f"best {name}"


def _heights(trials: xr.Dataset, varied: dict[str, Parameter]) -> NDArray[np.float64]:
    """(n, d) in [0, 1], NaN where inactive; choices from end to end."""
    y = facts.unit(trials)
    for column, (name, parameter) in enumerate(varied.items()):
        if isinstance(parameter, Choice):
            count = parameter.cardinality
            y[:, column] = (y[:, column] * count - 0.5) / max(count - 1, 1)
        y[~facts.activity(trials, name, parameter), column] = np.nan
    return y


def _has_neighbour(y: NDArray[np.float64]) -> NDArray[np.bool_]:
    is_there = np.pad(~np.isnan(y), ((0, 0), (1, 1)))
    return np.asarray(is_there[:, :-2] | is_there[:, 2:])


def _draw_axes(ax: Axes, ds: xr.Dataset, varied: dict[str, Parameter]) -> None:
    """A vertical axis for each parameter with its ends, or its choices."""
    for column, parameter in enumerate(varied.values()):
        ax.axvline(column, color=style.GREY, linewidth=0.8, zorder=0)
        if isinstance(parameter, Choice):
            count = parameter.cardinality
            marks = [
                (place / max(count - 1, 1), style.short(choice))
                for place, choice in enumerate(parameter.choices)
            ]
        else:
            marks = [(height, number(end)) for height, end in enumerate(style.bounds(parameter))]
        for height, text in marks:
            place = "top" if height == 0 else "bottom" if height == 1 else "center"
            ax.annotate(
                text, (column, height), xytext=(0, {"top": -3, "bottom": 3, "center": 0}[place]),
                textcoords="offset points", ha="center", va=place, fontsize=style.SMALL - 1,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5}, zorder=4,
            )  # fmt: skip
    names = [style.label(name, ds[name].attrs) for name in varied]
    ax.set_xticks(range(len(names)), names, fontsize=style.SMALL, **style.TURNED)
    ax.tick_params(axis="x", length=0, pad=12)
    ax.set_yticks([])
    ax.set_xlim(-0.3, len(varied) - 0.7)
    ax.set_ylim(-_ENDS, 1 + 3 * _ENDS)
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
