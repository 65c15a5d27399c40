"""The comparison as a picture: how far from the optimum at what time, and how busy the workers were."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asktell.errors import AsktellError
from asktell.plots.style import COLOURS, line_style

if TYPE_CHECKING:
    import xarray as xr

_TIMES = 400
_WIDE = 4  # the longest study takes so many times the shortest one's time: then time is logarithmic


def plot(data: xr.Dataset, path: Path) -> None:
    """Write the picture to a file (.png, .pdf, .svg): medians over seeds, and the quartiles around them.

    Raises AsktellError where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise AsktellError("plots need matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes, bars = figure.subplots(1, 2, width_ratios=(3, 1))
    name = "regret" if "regret" in data else "hypervolume"
    begin, end = float(data["ended"].min()), float(data["ended"].max())
    is_wide = end > _WIDE * float(data["makespan"].min())
    times = np.geomspace(begin, end, _TIMES) if is_wide else np.linspace(0, end, _TIMES)
    labels, busy = [], []
    for index, (label, cell) in enumerate(lines(data)):
        style = line_style(index)
        rows = _on(times, cell, name)
        is_there = ~np.isnan(rows).any(axis=0)  # a median of fewer seeds than all would jump about
        low, median, high = np.quantile(rows[:, is_there], (0.25, 0.5, 0.75), axis=0)
        axes.plot(times[is_there], median, label=label, **style)
        axes.fill_between(times[is_there], low, high, alpha=0.15, color=style["color"], linewidth=0)
        labels.append(label)
        busy.append(float(cell["utilisation"].median()))
    if name == "regret":
        axes.set_yscale("log")
    if is_wide:
        axes.set_xscale("log")
    axes.set_xlabel("wall time (h)")
    axes.set_ylabel("regret of the best so far" if name == "regret" else "hypervolume")
    axes.set_title(f"{data.attrs['problem']}; trials take {data.attrs['runtime']}", fontsize=10)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    places = np.arange(len(labels))
    colours = [COLOURS[i % len(COLOURS)] for i in places]
    bars.barh(places, busy, color=colours)
    bars.set_yticks(places, labels, fontsize=8)
    bars.invert_yaxis()
    bars.set_xlim(0, 1)
    bars.set_xlabel("utilisation of the workers")
    for place, share in zip(places, busy, strict=True):
        bars.text(
            max(share - 0.03, 0.02), place, f"{share:.0%}", va="center", ha="right", color="white", fontsize=8
        )
    figure.savefig(path, dpi=150)


def lines(data: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """A label and the seeds' data for each combination; what does not vary is left out of the label."""
    axes = ("engine", "schedule", "workers")
    varying = [axis for axis in axes if data.sizes[axis] > 1] or ["schedule"]
    found = []
    for values in itertools.product(*(data[axis].values for axis in axes)):
        place = dict(zip(axes, values, strict=True))
        words = [f"{place[axis]} workers" if axis == "workers" else str(place[axis]) for axis in varying]
        found.append((", ".join(words), data.sel(place)))
    return found


def _on(times: np.ndarray[Any, Any], cell: xr.Dataset, name: str) -> np.ndarray[Any, Any]:
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
