"""The report's interactive figures, with Bokeh: all of one document, so that a selection shows in each.

Figures of trials share one source, whose rows are the dataset's: `number`, `about`, and by figure the
places on its axes. What they are called there is what the page's script goes by:

x_<i>  parameter i        y_<i>  quantity i: objectives, other results, duration
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import xarray as xr
from bokeh.models import CDSView, ColumnDataSource, FactorRange, IndexFilter
from bokeh.transform import factor_cmap
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.analysis.optimum import Axis
from asktell.analysis.points import points
from asktell.errors import StudyError
from asktell.plots import style
from asktell.plots.effects import TELLING, jittered
from asktell.plots.progress import telling_range
from asktell.plots.workers import LOOKS, MOST_NAMED, clock, worker_rows
from asktell.report.canvas import Figure, add_hover, name_ticks, new_figure, parameter_figure, plain, span
from asktell.report.columns import INFEASIBLE, causes, outcomes, results
from asktell.trial import Status
from asktell.wording import assignments, duration

_TALL, _SMALL = 340, 260
_MARGIN = 0.05
_FORESTS = 8  # of thousands of trials, each takes a fifth of a second
_EDGE = 0.02  # of the height, where trials without a result stand
_FAINT = 0.06  # what is not selected
_FARTHEST = float(np.finfo(np.float64).max) / 2  # an axis longer than the largest number cannot be drawn
_DENSE = 2000  # trials, above which dots are small and faint


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure: its section and its name in the page, and what it shows in a sentence.

    model: None where there is nothing to draw; the caption says why.
    """

    section: str
    key: str
    title: str
    caption: str
    model: Figure


@dataclass(frozen=True, slots=True)
class Quantity:
    """What figures of parameters can show: a column of the trials' source, and its axis from end to end.

    edge: where trials without a value stand, from 0 to 1; None where all have one.
    """

    field: str
    label: str
    start: float
    end: float
    edge: float | None


class Figures:
    """The figures of one study that has trials."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds
        self._signs = facts.signs(ds)
        self._outcomes = outcomes(ds)
        self._progress = ds.asktell.trace() if len(self._signs) == 1 else ds.asktell.hypervolume()
        longest_h = float(np.nanmax(self._progress["wall_time"].values, initial=0.0))
        self._time_unit = style.time_unit(longest_h * facts.SECONDS_PER_HOUR)
        self._names = [*results(ds), "duration"]
        self.quantities = [_quantity(ds, index, name) for index, name in enumerate(self._names)]
        self._source = ColumnDataSource(self._columns(), name="trials")
        self._views = {
            key: CDSView(filter=IndexFilter(indices=np.flatnonzero(rows).tolist()))
            for key, rows in {
                "good": self._outcomes == Status.COMPLETED,
                "infeasible": self._outcomes == INFEASIBLE,
                "rest": ~facts.is_completed(ds),
                "best": np.isin(ds["trial"].values, best_numbers(ds)),
            }.items()
        }

    @property
    def against(self) -> dict[Axis, str]:
        """What convergence can be drawn against: columns of the trials' source, and their labels."""
        found = self._progress
        return {
            "count": str(found["count"].attrs["long_name"]),
            "wall_time": f"{found['wall_time'].attrs['long_name']} ({self._time_unit[1]})",
            "core_hours": style.derived_label(found["core_hours"]),
        }

    def all(self) -> Iterator[Drawing]:
        """Every figure, by section."""
        yield from self._fronts()
        yield self._convergence()
        yield from self._parameters()
        yield from self._importances()
        yield self._timeline()
        yield self._runtime()

    def _convergence(self) -> Drawing:
        """How the results got better."""
        quantity = self.quantities[0]
        if len(self._signs) == 1:
            key, label, caption = "best", quantity.label, "The best so far, and every trial."
        else:
            key, label, caption = "hypervolume", "hypervolume", "What the results so far dominate together."
        fig = new_figure(_TALL, x_label=self.against["count"], y_label=label)
        if len(self._signs) == 1:
            fig.y_range = span(quantity.start, quantity.end)
            self._dots(fig, "count", quantity, tag="against")
        columns: dict[str, Any] = {name: self._against(name) for name in _AGAINST}
        line = ColumnDataSource({**columns, "best": self._progress[key].values})
        fig.step("count", "best", source=line, mode="after", line_width=2, color=style.BLUE, tags=["against"])
        return Drawing("progress", "convergence", "Convergence", caption, fig)

    def _parameters(self) -> Iterator[Drawing]:
        """A quantity against each parameter."""
        shared = span(self.quantities[0].start, self.quantities[0].end)
        for index, (name, parameter) in enumerate(facts.varied(self._ds).items()):
            fig = parameter_figure(
                _SMALL,
                parameter,
                x_label=style.label(name, self._ds[name].attrs),
                y_label=self.quantities[0].label,
                y_range=shared,
            )
            self._dots(fig, f"x_{index}", self.quantities[0], tag="quantity")
            yield Drawing("parameters", f"parameter-{index}", name, "", fig)

    def _importances(self) -> Iterator[Drawing]:
        """How much each parameter matters to each objective, or why that is not known."""
        for index, name in enumerate(self._signs):
            key, title = f"importance-{index}", f"Importance for {name}"
            try:
                found = self._ds.asktell.importance(name, repeats=_FORESTS)
            except StudyError as error:
                yield Drawing("importance", key, title, f"Not known yet: {error}.", None)
            else:
                yield Drawing("importance", key, title, _verdict(found), _bars(found))

    def _runtime(self) -> Drawing:
        """How long evaluations took, in the order of their numbers."""
        quantity = self.quantities[-1]
        fig = new_figure(_SMALL, x_label="trial number", y_label=quantity.label)
        self._dots(fig, "number", quantity)
        return Drawing("workers", "runtime", "Runtime", "How long each evaluation took.", fig)

    def _timeline(self) -> Drawing:
        """What each worker ran when."""
        attempts = self._ds.asktell.timeline()
        if not attempts.sizes["attempt"]:
            return Drawing("workers", "timeline", "Timeline", "No worker has evaluated anything.", None)
        begin, end, unit = clock(self._ds, attempts)
        rows, names = worker_rows(attempts, begin)
        kinds = [kind for kind in LOOKS if kind in attempts["outcome"].values]
        numbers = attempts["trial"].values
        about = [
            f"trial {number}: {outcome}{f', {cause}' if cause else ''}, {duration(took)} on {names[row]}"
            for number, outcome, cause, took, row in zip(
                numbers,
                attempts["outcome"].values,
                attempts["cause"].values,
                attempts["duration"].values,
                rows,
                strict=True,
            )
        ]
        source = ColumnDataSource(
            {
                "number": numbers,
                "row": rows,
                "begin": begin,
                "end": end,
                "outcome": attempts["outcome"].values,
                "about": about,
            },
            name="attempts",
        )
        fig = new_figure(
            min(120 + 22 * len(names), 620),
            x_label=f"time since the first proposal ({unit})",
            y_label="worker",
            y_range=span(len(names) - 0.5, -0.5),
        )
        bars = fig.hbar(
            y="row",
            left="begin",
            right="end",
            height=0.8 if len(names) <= MOST_NAMED else 1.0,
            source=source,
            line_width=0,
            fill_color=factor_cmap("outcome", [LOOKS[kind][0] for kind in kinds], kinds),
            nonselection_fill_alpha=0.15,
        )
        add_hover(fig, [bars])
        ticks = range(0, len(names), max(1, -(-len(names) // MOST_NAMED)))
        name_ticks(fig.yaxis, {row: style.short(names[row], 24) for row in ticks})
        return Drawing(
            "workers", "timeline", "Timeline", "What each worker ran; blank where it was idle.", fig
        )

    def _fronts(self) -> Iterator[Drawing]:
        for (i, x), (j, y) in itertools.combinations(enumerate(self._signs), 2):
            fig = new_figure(_TALL, x_label=self.quantities[i].label, y_label=self.quantities[j].label)
            for axis, quantity in (("x_range", self.quantities[i]), ("y_range", self.quantities[j])):
                setattr(fig, axis, span(quantity.start, quantity.end))
            self._dots(fig, f"y_{i}", self.quantities[j], has_rest=False)
            caption = "Stars: trials that no other beats in all objectives."
            yield Drawing("progress", f"front-{i}-{j}", f"{x} and {y}", caption, fig)

    def _dots(self, fig: Figure, x: str, quantity: Quantity, *, tag: str = "", has_rest: bool = True) -> None:
        """Trials by outcome; those without a value stand at the worse end of the axis.

        tag: by which the page's script finds what it changes; has_rest: show trials without a result.
        """
        is_dense = len(self._outcomes) > _DENSE
        plain: Mapping[str, Any] = {
            "source": self._source,
            "size": 4 if is_dense else 7,
            "tags": [tag],
            "nonselection_fill_alpha": _FAINT,
            "nonselection_line_alpha": _FAINT,
        }
        filled = {"fill_color": style.GREY, "fill_alpha": 0.4 if is_dense else 0.75, "line_width": 0}
        filled |= {"selection_fill_color": style.BLUE}
        hollow = {"fill_color": None, "line_color": style.ORANGE}
        star = {"marker": "star", "fill_color": style.ORANGE, "line_color": style.BLACK, "line_width": 0.8}
        found = [
            fig.scatter(x, quantity.field, view=self._views["good"], **filled, **plain),
            fig.scatter(x, quantity.field, view=self._views["infeasible"], **hollow, **plain),
        ]
        if has_rest and (~facts.is_completed(self._ds)).any():
            fig.extra_y_ranges = {"edge": span(0, 1)}
            cross = {"marker": "x", "line_color": style.VERMILLION, "line_width": 1.5}
            rest = {"view": self._views["rest"], **cross, **plain}
            if quantity.edge is not None:
                rest |= {"y_range_name": "edge", "tags": [tag, "edge"]}
            found.append(fig.scatter(x, quantity.field if quantity.edge is None else quantity.edge, **rest))
        fig.scatter(x, quantity.field, view=self._views["best"], **star, **{**plain, "size": 15})
        add_hover(fig, found)

    def _columns(self) -> dict[str, Any]:
        ds = self._ds
        found: dict[str, Any] = {key: self._against(key) for key in _AGAINST}
        found["number"] = ds["trial"].values
        for index, (name, parameter) in enumerate(facts.varied(ds).items()):
            found[f"x_{index}"] = jittered(style.places(ds, name, parameter), parameter)
        for quantity, name in zip(self.quantities, self._names, strict=True):
            found[quantity.field] = ds[name].values.astype(np.float64)
        found["about"] = list(self._about())
        return found

    def _about(self) -> Iterator[str]:
        """What the pointer tells of a trial, in lines."""
        names = list(self._signs)
        values = np.stack([self._ds[name].values for name in names], axis=1)
        for number, outcome, cause, row, point in zip(
            self._ds["trial"].values,
            self._outcomes,
            causes(self._ds),
            values.tolist(),
            points(self._ds),
            strict=True,
        ):
            lines = [f"trial {number}: {outcome}{f', {cause}' if cause else ''}"]
            if outcome in (Status.COMPLETED, INFEASIBLE):
                lines.append(assignments(dict(zip(names, row, strict=True)), "\n"))
            yield "\n".join([*lines, assignments(point, "\n")])

    def _against(self, key: Axis) -> NDArray[Any]:
        values: NDArray[Any] = self._progress[key].values
        return values if key != "wall_time" else values * (facts.SECONDS_PER_HOUR / self._time_unit[0])


_AGAINST: tuple[Axis, ...] = get_args(Axis)


def best_numbers(ds: xr.Dataset) -> list[int]:
    """The best trial, or those on the Pareto front; none where no trial is a candidate."""
    if not facts.is_candidate(ds).any():
        return []
    best = ds.asktell.incumbent() if len(facts.signs(ds)) == 1 else ds.asktell.pareto()
    return [int(number) for number in np.atleast_1d(best["trial"].values)]


def _quantity(ds: xr.Dataset, index: int, name: str) -> Quantity:
    sign = facts.signs(ds).get(name, 1)
    values = ds[name].values.astype(np.float64)
    is_shown = facts.is_candidate(ds) if name in facts.signs(ds) else np.isfinite(values)
    known = values[is_shown & np.isfinite(values)]
    ends = telling_range(known, sign)
    if ends is None:
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        margin = _MARGIN * (high - low) or max(abs(high), 1.0) * _MARGIN
        ends = low - margin, high + margin
    label = "duration of the evaluation (s)" if name == "duration" else style.objective_label(ds, name)
    edge = None if name == "duration" else _EDGE if sign < 0 else 1 - _EDGE
    start, end = np.clip(ends, -_FARTHEST, _FARTHEST).tolist()
    return Quantity(f"y_{index}", plain(label), start, end, edge)


def _bars(found: xr.Dataset) -> Figure:
    names = [str(name) for name in found["parameter"].values]
    source = ColumnDataSource(
        {key: found[key].values for key in ("importance", "low", "high")} | {"parameter": names}
    )
    fig = new_figure(
        100 + 26 * len(names),
        x_label=found["importance"].attrs["long_name"],
        y_label="",
        y_range=FactorRange(factors=names[::-1]),
    )
    fig.hbar(y="parameter", right="importance", height=0.7, source=source, color=style.SKY)
    fig.segment("low", "parameter", "high", "parameter", source=source, line_width=2, color=style.BLUE)
    return fig


def _verdict(found: xr.Dataset) -> str:
    score = float(found["score"])
    doubt = "" if score >= TELLING else ": too little to tell"
    return (
        f"From {found.attrs['trials']} trials; R² of unseen ones {score:.2f}{doubt}. Lines: 90 % intervals."
    )
