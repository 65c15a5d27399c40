"""What all pictures have in common: colours, labels, axes for parameters of every kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.errors import AsktellError
from asktell.space import Boolean, Integer, Parameter, Real
from asktell.space.parameters import Choice
from asktell.trial import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK = COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)
"""Okabe and Ito's, which eyes of every kind tell apart."""

GREY, PALE = "#808080", "#D9D9D9"
STYLES = ("-", "--", ":", "-.")
MAP = "cividis"
"""From dark to bright in print, too."""

ARRAYS, SIGNED = "magma_r", "PuOr"
"""Of output arrays: the darker the more; and of those with both signs, whose middle is white."""

TURNED: Mapping[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
"""For ticks that would not fit side by side."""

SMALL = 8
"""Size of labels inside a picture, in points."""

DENSE = 1000
"""Trials, above which dots are small and faint."""

_SIZE = (5.0, 3.4)
_LONGEST_TICK = 14
_FEW = 3  # intervals between ticks
_LEAST_DOT = 12  # in a legend, in square points
_SHORT, _LONG = 50.0, 1e4  # largest by smallest value of a logarithmic axis
_UNITS = ((2 * 86400.0, 86400.0, "d"), (2 * 3600.0, 3600.0, "h"), (120.0, 60.0, "min"), (0.0, 1.0, "s"))


def axes_or_new(ax: Axes | None, size: tuple[float, float] = _SIZE, **options: Any) -> Axes:
    """`ax`, or that of a new figure which leaves room for its labels; options as for `new_axes`."""
    if ax is not None:
        return ax
    found: Axes = new_axes(1, size, **options)[0]
    return found


def new_axes(columns: int, size: tuple[float, float] = _SIZE, rows: int = 1, **options: Any) -> NDArray[Any]:
    """Axes of a new figure, (rows * columns,). Raises AsktellError where matplotlib is not installed.

    options: of `matplotlib.pyplot.subplots`; layout='compressed' for pictures of a fixed shape.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise AsktellError("plots need matplotlib: pip install 'asktell[plots]'") from None
    options = {"layout": "constrained", **options}
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    return np.asarray(axes).ravel()


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the n-th line: two lines differ in print, too."""
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": STYLES[index % len(STYLES)]}


def dots(n: int) -> dict[str, Any]:
    """Size and shade of a dot for each of n trials."""
    return {"s": 4, "alpha": 0.3, "linewidths": 0} if n > DENSE else {"s": 14, "alpha": 0.7, "linewidths": 0}


def empty(ax: Axes, text: str) -> Axes:
    """Axes that say why they show nothing."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.minorticks_off()
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize=SMALL + 1)
    return ax


def without_results(ax: Axes, ds: xr.Dataset) -> Axes:
    """Axes for a study that has nothing to show yet, or nothing at all."""
    n = ds.sizes["trial"]
    return empty(ax, f"none of {n} trials has a valid result" if n else "no trial has ended yet")


def cross_out(ax: Axes, ds: xr.Dataset, x: NDArray[np.float64], y: NDArray[np.float64], **look: Any) -> None:
    """Mark trials that failed or were cancelled, where their places are known; x, y: (n,)."""
    for status, marker, colour in ((Status.FAILED, "x", VERMILLION), (Status.CANCELLED, "+", PURPLE)):
        rows = (ds["status"].values == facts.STATUSES.index(status)) & np.isfinite(x) & np.isfinite(y)
        if rows.any():
            ax.scatter(x[rows], y[rows], marker=marker, color=colour, label=str(status), **look)


def whole_numbers(axis: Axis) -> None:
    """Ticks for what is counted."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))


def label(name: str, attrs: Mapping[Any, Any]) -> str:
    """'name (unit)'."""
    unit = str(attrs.get("units", ""))
    return f"{name} ({unit})" if unit and unit != "1" else name


def derived_label(array: xr.DataArray) -> str:
    """Like `label`, by the array's long name."""
    return label(str(array.attrs.get("long_name", array.name)), array.attrs)


def objective_label(ds: xr.Dataset, name: str) -> str:
    """'quality, higher is better'."""
    better = {"maximize": ", higher is better", "minimize": ", lower is better"}
    return label(name, ds[name].attrs) + better.get(str(ds[name].attrs.get("direction", "")), "")


def legend_above(ax: Axes, **options: Any) -> None:
    """A legend that hides no data, and whose dots can be seen, however small and faint many trials' are."""
    from matplotlib.collections import PathCollection

    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "borderaxespad": 0.2}
    look: dict[str, Any] = {"fontsize": SMALL, "frameon": False, "handletextpad": 0.3, "columnspacing": 1.0}
    columns = len(options.get("handles") or ax.get_legend_handles_labels()[1])
    found = ax.legend(**place, **look, ncols=columns, **options)
    for handle in found.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set(sizes=[max(_LEAST_DOT, handle.get_sizes()[0])], alpha=1.0)


def time_unit(longest_s: float) -> tuple[float, str]:
    """(seconds, name) of the unit in which times up to `longest_s` read well."""
    return next((seconds, name) for least, seconds, name in _UNITS if not longest_s < least)


def trial_title(ds: xr.Dataset, which: str) -> str:
    """'best: trial 12, quality 0.93' for a dataset of one trial."""
    name = next(iter(facts.signs(ds)))
    unit = str(ds[name].attrs.get("units", "1"))
    suffix = f" {unit}" if unit != "1" else ""
    return f"{which}: trial {int(ds['trial'])}, {name} {float(ds[name]):.3g}{suffix}"


def places(ds: xr.Dataset, name: str, parameter: Parameter) -> NDArray[np.float64]:
    """(n,) where trials lie on the parameter's axis: values, positions of choices; NaN where inactive."""
    is_active = facts.activity(ds, name, parameter)
    if isinstance(parameter, Boolean):
        found = ds[name].values
    elif isinstance(parameter, Choice):
        found = ds[f"{name}_code"].values
    else:
        found = ds[name].values
    return np.where(is_active, found.astype(np.float64), np.nan)


def level_places(values: NDArray[Any], parameter: Parameter) -> NDArray[np.float64]:
    """Where values of `partial_dependence`'s grid lie on that axis."""
    places = np.arange(len(values)) if isinstance(parameter, Choice) else values
    return np.asarray(places, dtype=np.float64)


def prepare(ax: Axes, which: Literal["x", "y"], ds: xr.Dataset, name: str, parameter: Parameter) -> None:
    """Give an axis the parameter's label, scale and ticks."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_label_text(label(name, ds[name].attrs))
    if isinstance(parameter, Choice):
        words = [short(choice) for choice in parameter.choices]
        is_crowded = which == "x" and sum(map(len, words)) > 2 * _LONGEST_TICK
        axis.set_ticks(range(len(words)), words, **(TURNED if is_crowded else {}))
    elif isinstance(parameter, Real | Integer) and parameter.log:
        (ax.set_xscale if which == "x" else ax.set_yscale)("log")
        spread_log(axis, parameter.high / parameter.low)


def few_ticks(axis: Axis, parameter: Parameter) -> None:
    """Ticks of a small picture's axis, where those of long numbers would run into each other."""
    from matplotlib.ticker import MaxNLocator

    if isinstance(parameter, Real | Integer) and not parameter.log:
        is_whole = isinstance(parameter, Integer)
        axis.set_major_locator(MaxNLocator(_FEW, steps=[1, 2, 2.5, 5, 10], integer=is_whole))


def spread_log(axis: Axis, ratio: float) -> None:
    """Ticks of a logarithmic axis that do not crowd: 1, 2, 5 in a short range, else powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if ratio < _LONG:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if ratio < _SHORT else (1.0,)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def bounds(parameter: Parameter) -> tuple[float, float]:
    """The ends of a number."""
    assert isinstance(parameter, Real | Integer)
    return parameter.low, parameter.high


def limits(parameter: Parameter) -> tuple[float, float]:
    """The ends of a parameter's axis, a little beyond its bounds."""
    if isinstance(parameter, Choice):
        return -0.5, len(parameter.choices) - 0.5
    low, high = bounds(parameter)
    if isinstance(parameter, Real | Integer) and parameter.log:
        margin = (high / low) ** 0.03
        return low / margin, high * margin
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def short(text: object, most: int = _LONGEST_TICK) -> str:
    """A text that fits a tick."""
    words = str(text)
    return words if len(words) <= most else f"{words[: most - 1]}…"
