"""The comparison as a picture: how far from the optimum at what time, and how busy the workers were."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asktell.errors import AsktellError, ConfigError, Problem
from asktell.plots.style import SMALL, derived_label, empty, line_style, spread_log
from asktell.simulation.targets import lines, quality

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_TIMES = 400
_WIDE = 4  # the longest study takes so many times the shortest one's time: then time is logarithmic
_ROW_INCHES = 0.22  # of a combination's bar and name


def check_picture(path: Path) -> None:
    """Raise AsktellError where matplotlib is not installed, ConfigError where it cannot write such a file."""
    formats = _new_figure((1.0, 1.0)).canvas.get_supported_filetypes()
    if path.suffix.removeprefix(".") not in formats:
        message = f"{str(path)!r} is no picture that can be written"
        raise ConfigError([Problem("--plot", message, "end its name in .png, .svg or .pdf")])


def plot(data: xr.Dataset, path: Path) -> None:
    """Write the picture to a file (.png, .pdf, .svg): medians over seeds, and the quartiles around them.

    Raises AsktellError where matplotlib is not installed.
    """
    cells = lines(data)
    figure = _new_figure((10, max(4.2, 1.5 + _ROW_INCHES * len(cells))))
    axes, bars = figure.subplots(1, 2, width_ratios=(3, 1))
    _draw_progress(axes, data)
    axes.set_title(f"{data.attrs['problem']}; trials take {data.attrs['runtime']}", fontsize=10)
    busy = [float(cell["utilisation"].median()) for _, cell in cells]
    places = np.arange(len(cells))
    bars.barh(places, busy, color=[line_style(index)["color"] for index in range(len(cells))])
    bars.set_yticks(places, [label for label, _ in cells], fontsize=SMALL)
    bars.invert_yaxis()
    bars.set_xlim(0, 1.3)  # room for 100 %
    bars.set_xticks([0, 0.5, 1])
    bars.set_xlabel("utilisation of the workers")
    for place, share in zip(places, busy, strict=True):
        bars.text(share + 0.02, place, f"{share:.0%}", va="center", fontsize=SMALL)
    figure.savefig(path, dpi=150)


def _new_figure(size: tuple[float, float]) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise AsktellError("plots need matplotlib: pip install 'asktell[plots]'") from None
    return Figure(figsize=size, layout="constrained")


def _draw_progress(axes: Axes, data: xr.Dataset) -> None:
    begin, end = float(data["ended"].min()), float(data["ended"].max())
    is_wide = end > _WIDE * float(data["makespan"].min())
    times = np.geomspace(begin, end, _TIMES) if is_wide else np.linspace(0, end, _TIMES)
    shown = quality(data)
    is_positive = False
    for index, (label, cell) in enumerate(lines(data)):
        style = line_style(index)
        rows = _on(times, cell, str(shown.name))
        is_there = ~np.isnan(rows).any(axis=0)  # a median of fewer seeds than all would jump about
        if not is_there.any():
            continue
        low, median, high = np.quantile(rows[:, is_there], (0.25, 0.5, 0.75), axis=0)
        is_positive |= bool((median > 0).any())
        axes.plot(times[is_there], median, label=label, **style)
        axes.fill_between(times[is_there], low, high, alpha=0.15, color=style["color"], linewidth=0)
    if is_positive and shown.name == "regret":
        axes.set_yscale("log")
    if is_wide:
        axes.set_xscale("log")
        spread_log(axes.xaxis, end / begin)
    axes.set_xlabel("wall time (h)")
    axes.set_ylabel(derived_label(shown))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize=SMALL, framealpha=0.85)
    else:
        empty(axes, "no trial has a valid result")


def _on(times: Array, cell: xr.Dataset, name: str) -> Array:
    """Each seed's trace at given times: (seeds, times); NaN before its first value and after the last."""
    end = float(cell["ended"].max())
    rows = np.full((cell.sizes["seed"], len(times)), math.nan)
    for row, seed in zip(rows, range(cell.sizes["seed"]), strict=True):
        ended = cell["ended"].isel(seed=seed).values
        values = cell[name].isel(seed=seed).values
        last = np.searchsorted(ended, times, side="right") - 1
        is_there = (last >= 0) & (times <= end)
        row[is_there] = values[last[is_there]]
    return rows
