"""What the page says in words and small tables."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from asktell.analysis import facts
from asktell.analysis.points import points
from asktell.narration import counts_line
from asktell.overview import Overview, State
from asktell.plots import style
from asktell.report.columns import causes, outcomes, results
from asktell.report.figures import best_numbers
from asktell.wording import count, duration, number, percent

_MOST_MESSAGES = 20
_MOST_BEST = 20


@dataclass(frozen=True, slots=True)
class Grid:
    """A small table. numeric: indices of the columns of numbers."""

    headers: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    numeric: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Best:
    """The best point or points, and labelled commands that bring one back; `note`: why there is none."""

    title: str = "Best"
    table: Grid = Grid()
    commands: Sequence[tuple[str, str]] = ()
    note: str = ""


def summary(found: Overview, ds: xr.Dataset | None, at: float) -> list[tuple[str, str]]:
    """How the study stands, and what it is: label and text. ds: None where no trial has ended."""
    config, snapshot = found.config, found.snapshot(at)
    rows = [("trials", counts_line(snapshot)), ("wall time", duration(snapshot.elapsed_s))]
    if ds is not None:
        used = ds.asktell.utilisation()
        rows += [
            ("core-hours", number(round(float(ds.asktell.cost()["core_hours"].sum()), 3))),
            ("utilisation", percent(float(used["total_utilisation"]))),
            ("workers", str(used.sizes["worker"])),
        ]
    objectives = [f"{item.direction} {name}" for name, item in config.objectives.items()]
    return [
        *rows,
        ("objectives" if len(objectives) > 1 else "objective", ", ".join(objectives)),
        ("engine", f"{config.optimizer.engine}, seed {config.optimizer.seed}"),
        ("schedule", str(config.schedule.kind)),
    ]


def best(found: Overview, ds: xr.Dataset | None, path: Path) -> Best:
    """The best trial of the study in `path`, or those on the Pareto front."""
    numbers = best_numbers(ds) if ds is not None else []
    if ds is None or not numbers:
        if found.state is State.NEW:
            return Best(note="The study was never run.")
        ended = "No trial has ended yet" if ds is None else f"{count(ds.sizes['trial'], 'trial')} ended"
        return Best(note=f"{ended}{'.' if ds is None else ', none of them within the constraints.'}")
    n_best = len(numbers)
    numbers = [numbers[i] for i in np.unique(np.linspace(0, n_best - 1, _MOST_BEST).round().astype(int))]
    place = {trial: row for row, trial in enumerate(ds["trial"].values.tolist())}
    rows = [place[trial] for trial in numbers]
    every = list(points(ds))
    values = [{**{name: float(ds[name].values[row]) for name in results(ds)}, **every[row]} for row in rows]
    names = [*results(ds), *facts.space(ds).parameters]
    commands = _commands(path, found.config.name, numbers[0], json.dumps(every[rows[0]]))
    if len(rows) == 1:
        units = {name: str(ds[name].attrs.get("units", "1")) for name in names}
        lines = [
            (name, number(value), "" if units[name] == "1" else units[name])
            for name, value in values[0].items()
        ]
        return Best(f"Best: trial {numbers[0]}", Grid(("", "value", "unit"), lines, (1,)), commands)
    headers = ["trial", *(style.label(name, ds[name].attrs) for name in names)]
    cells = [
        [str(trial), *(number(point.get(name, "–")) for name in names)]
        for trial, point in zip(numbers, values, strict=True)
    ]
    title = f"{n_best} trials that no other beats in all objectives"
    if n_best > len(rows):
        title += f"; {len(rows)} of them, from end to end of the front"
    commands = [(f"{label} (trial {numbers[0]})", text) for label, text in commands]
    return Best(title, Grid(headers, cells, range(1 + len(results(ds)))), commands)


def _commands(path: Path, name: str, trial: int, point: str) -> list[tuple[str, str]]:
    study, file = shlex.quote(str(path)), shlex.quote(f"{name}-best.json")
    export = f"asktell export {study} --config --trial {trial} -o {file}"
    return [
        ("Evaluate it again, outside of the study", f"{export}\nasktell evaluate {study} {file}"),
        ("Evaluate it again, as a new trial", f"asktell rerun {study} {trial}"),
        ("Everything that is known of it", f"asktell show {study} {trial}"),
        ("The point, as its evaluation got it", point),
    ]


def cost(ds: xr.Dataset) -> Grid:
    """Core-hours by what came of attempts, and why."""
    found = ds.asktell.cost()
    spent, attempts = found["core_hours"].values, found["attempts"].values
    total = spent.sum()
    rows = [
        [
            str(outcome),
            str(cause),
            str(attempts[i, j]),
            f"{spent[i, j]:.3g}",
            percent(spent[i, j] / total if total else 0.0),
        ]
        for i, outcome in enumerate(found["outcome"].values)
        for j, cause in enumerate(found["cause"].values)
        if attempts[i, j]
    ]
    return Grid(("outcome", "cause", "attempts", "core-hours", "share"), rows, (2, 3, 4))


def failures(ds: xr.Dataset) -> Grid:
    """What went wrong in trials without a result, the most frequent first."""
    is_completed = facts.is_completed(ds)
    found = Counter(
        (outcome, cause, next(iter(error.splitlines()), ""))
        for outcome, cause, error, done in zip(
            outcomes(ds), causes(ds), ds["error"].values, is_completed, strict=True
        )
        if not done
    )
    rows = [[str(n), *texts] for texts, n in found.most_common(_MOST_MESSAGES)]
    if len(found) > _MOST_MESSAGES:
        rows.append(["", "", "", f"and {len(found) - _MOST_MESSAGES} other messages, in the table of trials"])
    return Grid(("trials", "outcome", "cause", "message"), rows, (0,))
