"""What `watch` shows: how a study stands, what runs, what has ended; as much as the terminal holds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from asktell.cli.display import panel
from asktell.cli.standing import RUNNING, awaited_job, running_rows
from asktell.study import StudyMachine, TrialState, is_feasible
from asktell.trial import Status
from asktell.wording import assignments, duration, number

if TYPE_CHECKING:
    from asktell.overview import Overview

_ENDED = ("trial", "status", "ago", "took", "on", "result")
_DISPENSABLE = ("attempt", "job", "on", "took", "left")
_GAP = 2
_LEAST_LAST = 14
_BLOCKS = "▁▂▃▄▅▆▇█"
_LEAST_STEP = 1e-3


def screen(found: Overview, console: Console) -> RenderableType:
    """The study as it stands, no wider and no higher than the console."""
    now = time.time()
    facts: list[tuple[str, RenderableType]] = []
    if job := awaited_job(found):
        facts.append(("driver", f"job {job} is to come; it waits in the queue"))
    traces = {name: best_so_far(found.study, name) for name in found.study.rules.signs}
    facts.extend((name, Sparkline(trace)) for name, trace in traces.items() if trace)
    top = panel(found.snapshot(now), more=facts)
    n_lines = console.height - len(console.render_lines(top)) - 1
    running, ended = running_rows(found), _ended_rows(found, now, console.height)
    n_running = min(len(running) + 2, n_lines - min(len(ended) + 2, n_lines // 3))
    return Group(
        top,
        *_table(RUNNING, running, console.width, n_running, is_counted=True),
        *_table(_ENDED, ended, console.width, n_lines - n_running if running else n_lines),
        Text("q leaves; the study goes on", style="dim"),
    )


def best_so_far(study: StudyMachine, objective: str) -> list[float]:
    """The best feasible value of an objective after each trial's end, in its own sign, from the first on."""
    sign = study.rules.signs[objective]
    found: list[float] = []
    for state in sorted(_ended(study), key=_row):
        values = state.outcome.values if state.outcome is not None else {}
        if state.status is Status.COMPLETED and is_feasible(values, study.rules.bounds):
            best = sign * min(sign * value for value in (values[objective], *found[-1:]))
            found.append(best)
        else:
            found.extend(found[-1:])
    return found


class Sparkline:
    """The way from the first value to the last, as a row of blocks as long as there is room."""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = values

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, last = number(self._values[0]), number(self._values[-1])
        room = options.max_width - len(first) - len(last) - 2
        yield Text(f"{first} {blocks(self._values, max(1, room))} {last}", no_wrap=True, overflow="crop")


def blocks(values: Sequence[float], width: int) -> str:
    """Values that only fall, or only rise, as at most `width` blocks; of several that share one the last.

    Heights are the logarithm of the distance to the last value: late steps are small, and the ones to see.
    """
    n = min(width, len(values))
    distances = [abs(values[(i + 1) * len(values) // n - 1] - values[-1]) for i in range(n)]
    farthest, highest = max(distances), len(_BLOCKS) - 1
    if not farthest:
        return _BLOCKS[0] * n
    nearest = max(_LEAST_STEP * farthest, min(filter(None, distances)))
    span = math.log(farthest / nearest) or 1.0
    levels = [
        highest - round((highest - 1) * math.log(farthest / max(distance, nearest)) / span) if distance else 0
        for distance in distances
    ]
    is_rising = values[-1] > values[0]
    return "".join(_BLOCKS[highest - level if is_rising else level] for level in levels)


def _table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    n_lines: int,
    *,
    is_counted: bool = False,
) -> list[RenderableType]:
    """At most `n_lines` lines: a blank one, the headers, rows; with `is_counted` how many did not fit.

    Columns that are empty are left out, dispensable ones too where the terminal is narrow.
    """
    room = n_lines - 2
    if is_counted and len(rows) > room:
        room -= 1
    if not rows or room < 1:
        return []
    n_cut, rows = len(rows) - room, rows[:room]
    widths = {
        name: max(map(cell_len, (name, *column)))
        for name, *column in zip(headers, *rows, strict=True)
        if any(column)
    }
    last = headers[-1]
    for name in _DISPENSABLE:
        if sum(widths.values()) - widths.get(last, 0) + _LEAST_LAST + _GAP * (len(widths) - 1) > width:
            widths.pop(name, None)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    left = width - sum(size for name, size in widths.items() if name != last) - _GAP * len(widths)
    for name, size in widths.items():
        table.add_column(
            name, no_wrap=True, overflow="ellipsis", width=min(size, max(left, 1)) if name == last else size
        )
    for row in rows:
        cells = dict(zip(headers, row, strict=True))
        table.add_row(*(Text(cells[name]) for name in widths))
    more = [Text(f"and {n_cut} more", style="dim")] if is_counted and n_cut > 0 else []
    return [Text(""), table, *more]


def _ended_rows(found: Overview, now: float, most: int) -> list[tuple[str, ...]]:
    """The trials that ended last, the newest first; headers: _ENDED."""
    states = sorted(_ended(found.study), key=_row, reverse=True)[:most]
    return [_ended_row(state, found.study, now) for state in states]


def _ended_row(state: TrialState, study: StudyMachine, now: float) -> tuple[str, ...]:
    outcome = state.outcome
    assert outcome is not None, "a trial that has ended has an outcome"
    if state.status is Status.COMPLETED:
        result = assignments({name: outcome.values[name] for name in study.rules.signs})
    else:
        result = f"{outcome.cause}: {next(iter(outcome.error.splitlines()), '')}"
    return (
        str(state.trial.number),
        "best" if state.trial.number == study.best else str(state.status),
        duration(round(now - outcome.ended_at)) if outcome.ended_at else "",
        duration(outcome.duration_s) if outcome.duration_s else "",
        outcome.host,
        result,
    )


def _ended(study: StudyMachine) -> list[TrialState]:
    return [state for state in study.trials.values() if state.row is not None]


def _row(state: TrialState) -> int:
    assert state.row is not None
    return state.row
