"""What the workers did, and what it cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts, workers
from asktell.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOOKS = {
    "completed": (style.BLUE, ""),
    "failed": (style.ORANGE, "////"),
    "cancelled": (style.PURPLE, "...."),
    "retried": (style.SKY, "\\\\\\\\"),
    "lost": (style.VERMILLION, "xxxx"),
}
"""Colour, and hatching for print, by what came of an attempt."""

MOST_NAMED = 24

_NOTHING_RAN = "nothing has run yet"
_EXACT_BELOW = 100.0  # core-hours; more are given without decimals


def plot_timeline(ds: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """What each worker ran when; grey where it was idle between two attempts.

    Workers are in the order in which they came, named by host or batch job.
    """
    from matplotlib.collections import PolyCollection
    from matplotlib.patches import Patch

    attempts = workers.timeline(ds)
    begin, end, unit = clock(ds, attempts)
    rows, names = worker_rows(attempts, begin)
    ax = style.axes_or_new(ax, (6.5, min(1.3 + 0.22 * len(names), 6.5)))
    ax.set_ylabel("worker")
    ax.set_xlabel(f"time since the first proposal ({unit})")
    if not names:
        return style.empty(ax, _NOTHING_RAN)
    first, last = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(first, rows, begin)
    np.maximum.at(last, rows, end)
    is_dense = len(names) > MOST_NAMED
    height = 1.0 if is_dense else 0.8
    live = _boxes(first, last, np.arange(len(names)), height)
    ax.add_collection(PolyCollection(list(live), facecolors=style.PALE, linewidths=0))
    handles = []
    for outcome, (colour, hatch) in LOOKS.items():
        mine = attempts["outcome"].values == outcome
        if mine.any():
            # Neighbours stay apart on paper where there is room for it.
            look: dict[str, Any] = {"facecolors": colour, "edgecolors": "white", "linewidths": 0.3}
            if is_dense:
                look, hatch = {"facecolors": colour, "linewidths": 0}, ""
            shapes = PolyCollection(
                list(_boxes(begin[mine], end[mine], rows[mine], height)), hatch=hatch, **look
            )
            ax.add_collection(shapes)
            handles.append(
                Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=f"{outcome} ({mine.sum()})")
            )
    handles.append(Patch(facecolor=style.PALE, label="idle"))
    ax.set_xlim(0, end.max() * 1.01)
    ax.set_ylim(len(names) - 0.5, -0.5)
    step = max(1, -(-len(names) // MOST_NAMED))
    ticks = range(0, len(names), step)
    ax.set_yticks(ticks, [names[row] for row in ticks], fontsize=style.SMALL)
    style.legend_above(ax, handles=handles)
    return ax


def plot_utilisation(ds: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """How many workers there were, and how many of them ran something, over time."""
    ax = style.axes_or_new(ax)
    attempts = workers.timeline(ds)
    begin, end, unit = clock(ds, attempts)
    rows, names = worker_rows(attempts, begin)
    ax.set_xlabel(f"time since the first proposal ({unit})")
    ax.set_ylabel("workers")
    if not names:
        return style.empty(ax, _NOTHING_RAN)
    first, last = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    np.minimum.at(first, rows, begin)
    np.maximum.at(last, rows, end)
    for name, starts, stops, colour in (
        ("live", first, last, style.PALE),
        ("busy", begin, end, style.BLUE),
    ):
        times, counts = _counts(starts, stops)
        ax.fill_between(times, counts, step="post", color=colour, linewidth=0, label=name)
    total = float(workers.utilisation(ds)["total_utilisation"])
    style.whole_numbers(ax.yaxis)
    ax.set_ylim(0, _counts(first, last)[1].max() * 1.05)
    ax.set_xlim(left=0)
    style.legend_above(ax, title=f"utilisation {100 * total:.1f} %", title_fontsize=style.SMALL + 1)
    return ax


def plot_staleness(ds: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """How many results each proposal had to do without."""
    ax = style.axes_or_new(ax)
    found = workers.staleness(ds)
    outstanding = found["outstanding"].values
    ax.set_xlabel("trial number")
    ax.set_ylabel(found["outstanding"].attrs["long_name"])
    if not len(outstanding):
        return style.empty(ax, "no proposed trial has ended yet")
    ax.scatter(found["trial"].values, outstanding, color=style.BLUE, **style.dots(len(outstanding)))
    ax.set_ylim(-0.3, max(1.0, outstanding.max()) * 1.05)
    style.whole_numbers(ax.xaxis)
    style.whole_numbers(ax.yaxis)
    ax.grid(alpha=0.3)
    return ax


def plot_cost(ds: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Core-hours by what came of attempts, and why."""
    found = workers.cost(ds)
    cells = found.stack(cell=("outcome", "cause"))
    cells = cells.isel(cell=np.flatnonzero(cells["attempts"].values))
    names = [
        f"{outcome}: {cause}".replace("_", " ").removesuffix(": ") for outcome, cause in cells["cell"].values
    ]
    ax = style.axes_or_new(ax, (5.5, 1.2 + 0.3 * max(1, len(names))))
    ax.set_xlabel("core-hours (h)")
    if not names:
        return style.empty(ax, _NOTHING_RAN)
    spent = cells["core_hours"].values
    looks = [LOOKS[outcome] for outcome, _ in cells["cell"].values]
    bars = ax.barh(range(len(names)), spent, color=[colour for colour, _ in looks])
    labels = [
        f"{hours:.3g} h, {n:,}×" if hours < _EXACT_BELOW else f"{hours:,.0f} h, {n:,}×"
        for hours, n in zip(spent, cells["attempts"].values, strict=True)
    ]
    ax.bar_label(bars, labels, padding=3, fontsize=style.SMALL)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlim(0, spent.max() * 1.45 or 1.0)
    return ax


def clock(ds: xr.Dataset, attempts: xr.Dataset) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Begins and ends since the first proposal, in a unit that reads well."""
    since = facts.begun_at(ds)
    begin, end = (
        facts.hours(attempts[name].values, since) * facts.SECONDS_PER_HOUR for name in ("begin", "end")
    )
    seconds, unit = style.time_unit(float(np.nanmax(end, initial=0.0)))
    return begin / seconds, end / seconds, unit


def worker_rows(attempts: xr.Dataset, begin: NDArray[np.float64]) -> tuple[NDArray[np.intp], list[str]]:
    """Each attempt's row, and the rows' names: workers in the order of their first attempts."""
    found = facts.texts(attempts, "worker")
    order = np.argsort(begin, kind="stable")
    workers_in_order = list(dict.fromkeys(found[order]))
    row = {worker: place for place, worker in enumerate(workers_in_order)}
    place = {worker: (host, job) for worker, host, job in zip(
        found, attempts["host"].values, attempts["job"].values, strict=True)}  # fmt: skip
    names, seen = [], Counter[str]()
    for worker in workers_in_order:
        host, job = place[worker]
        name = f"{host} {job}".strip() or "worker"
        seen[name] += 1
        names.append(f"{name} ·{seen[name]}")
    only = [name.removesuffix(" ·1") if seen[name.rpartition(" ·")[0]] == 1 else name for name in names]
    return np.array([row[worker] for worker in found], dtype=np.intp), only


def _boxes(begin: NDArray[Any], end: NDArray[Any], rows: NDArray[Any], height: float) -> NDArray[np.float64]:
    """Corners of bars: (n, 4, 2)."""
    low, high = rows - height / 2, rows + height / 2
    x, y = np.stack([begin, end, end, begin], axis=1), np.stack([low, low, high, high], axis=1)
    return np.stack([x, y], axis=2)


def _counts(begin: NDArray[Any], end: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """How many intervals each moment is in, from one change to the next."""
    times = np.concatenate([begin, end])
    steps = np.concatenate([np.ones(len(begin)), -np.ones(len(end))])
    order = np.argsort(times, kind="stable")
    return times[order], steps[order].cumsum()
