"""Bokeh figures that fit the page: its width, its colours, axes for parameters of every kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bokeh.models import (
    BoxSelectTool,
    BoxZoomTool,
    FixedTicker,
    HoverTool,
    LogTicker,
    PanTool,
    Range1d,
    ResetTool,
    SaveTool,
    TapTool,
    WheelZoomTool,
)
from bokeh.plotting import figure

from asktell.plots import style
from asktell.space import Integer, Parameter, Real
from asktell.space.parameters import Choice

Figure = Any
"""Bokeh sets most of a figure's attributes from tables, which types do not see."""

_MOST_LETTERS = 28  # of an axis' choices side by side
_TICKS = 4
_FORMULA = re.compile(r"\$(?=\$)|\\(?=[\[(])")  # what begins one, without its second character


def new_figure(height: int, *, x_label: str, y_label: str, **options: Any) -> Figure:
    """An empty figure with its tools. The wheel scrolls the page, until the tool for it is chosen."""
    pan, tap = PanTool(), TapTool()
    fig = figure(
        height=height,
        sizing_mode="stretch_width",
        tools=[pan, BoxZoomTool(), WheelZoomTool(), BoxSelectTool(), tap, ResetTool(), SaveTool()],
        active_drag=pan,
        active_tap=tap,
        active_scroll=None,
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **options,
    )
    fig.toolbar.logo = None
    fig.xaxis.axis_label, fig.yaxis.axis_label = plain(x_label), plain(y_label)
    for axis in (*fig.xaxis, *fig.yaxis):
        axis.axis_label_text_font_style = "normal"
    return fig


def parameter_figure(height: int, parameter: Parameter, **options: Any) -> Figure:
    """A figure whose x axis is the parameter's."""
    is_log = isinstance(parameter, Real | Integer) and parameter.log
    fig = new_figure(
        height,
        x_axis_type="log" if is_log else "linear",
        x_range=span(*style.limits(parameter)),
        **options,
    )
    if isinstance(parameter, Choice):
        words = [style.short(choice) for choice in parameter.choices]
        name_ticks(fig.xaxis, dict(enumerate(words)))
        if sum(map(len, words)) > _MOST_LETTERS:
            fig.xaxis.major_label_orientation = 0.5
    elif is_log:
        fig.xaxis.ticker = LogTicker(desired_num_ticks=_TICKS, num_minor_ticks=0)
    else:
        fig.xaxis.ticker.desired_num_ticks = _TICKS
    return fig


def span(start: float, end: float) -> Range1d:
    """A range from end to end."""
    return Range1d(start=start, end=end)


def add_hover(fig: Figure, renderers: Sequence[Any]) -> None:
    """Show a row's `about` at the pointer."""
    fig.add_tools(HoverTool(renderers=list(renderers), tooltips=[("", "@about")]))


def name_ticks(axis: Any, names: Mapping[int, str]) -> None:
    """Ticks at these places only, with these names."""
    axis.ticker = FixedTicker(ticks=list(names))
    axis.major_label_overrides = {place: plain(name) for place, name in names.items()}


def plain(text: str) -> str:
    """A text in which Bokeh finds no formula, for which it would fetch a renderer from the network."""
    return _FORMULA.sub("\\g<0>\u200b", text)
