"""What a study has found: `best`, `show` and `logs` of a trial. None touches its driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asktell.cli.group import Failure
from asktell.cli.options import json_option, number_argument, study_argument
from asktell.cli.output import echo_facts, echo_json, echo_table, plain
from asktell.wording import assignments, count, duration, moment, number

if TYPE_CHECKING:
    from asktell.overview import AttemptView, Overview
    from asktell.trial import Outcome


@click.command()
@study_argument
@json_option
def best(study: Path, as_json: bool) -> None:
    """Show the best trial (several objectives: the best ones)."""
    from asktell.overview import read_study

    found = read_study(study)
    front = found.best()
    if as_json:
        if len(found.config.objectives) > 1:
            echo_json(front)
        else:
            echo_json(front[0] if front else None)
        return
    if not front:
        raise Failure(f"no trial of {study} has completed within its constraints yet")
    if len(front) == 1:
        item = front[0]
        echo_facts(
            [
                ("trial", str(item.number)),
                ("values", assignments(item.values, "\n")),
                ("at", assignments(item.params, "\n")),
            ]
        )
        return
    names = dict.fromkeys(name for item in front for name in (*item.values, *item.params))
    rows = [
        [str(item.number), *(number({**item.params, **item.values}.get(name, "")) for name in names)]
        for item in front
    ]
    echo_table(["trial", *names], rows)


@click.command()
@study_argument
@number_argument
@json_option
def show(study: Path, number: int, as_json: bool) -> None:
    """Show one trial: point, provenance, attempts, results."""
    from asktell.overview import read_study

    found = read_study(study)
    state, attempts = found.trial(number), found.attempts(number)
    folder = found.directory.trial(number)
    if as_json:
        echo_json(
            {
                "trial": state.trial,
                "status": state.status,
                "row": state.row,
                "attempts": [_attempt_json(view) for view in attempts],
                "outcome": _outcome_json(found.outcome(number)),
                "folder": folder if folder.is_dir() else None,
            }
        )
        return
    _echo_trial(found, number)


@click.command()
@study_argument
@number_argument
@click.option("--attempt", metavar="A", type=click.IntRange(min=0), help="Which attempt; default: the last.")
def logs(study: Path, number: int, attempt: int | None) -> None:
    """Print what a trial wrote to stdout and stderr."""
    from asktell.errors import TrialError
    from asktell.overview import read_study

    found = read_study(study)
    found.trial(number)
    attempts = {view.attempt: view for view in found.attempts(number)}
    if not attempts:
        raise TrialError(f"trial {number} has no attempt, so it wrote nothing")
    wanted = max(attempts) if attempt is None else attempt
    if wanted not in attempts:
        raise TrialError(f"trial {number} has no attempt {wanted}; it has {', '.join(map(str, attempts))}")
    folder = found.directory.attempt(number, wanted)
    written = [
        path for path in (folder / "stdout", folder / "stderr") if path.is_file() and path.stat().st_size
    ]
    for path in written:
        click.echo(click.style(f"==> {path} <==", bold=True))
        click.echo(path.read_bytes().decode(errors="replace").rstrip("\n"))
    if written:
        return
    view = attempts[wanted]
    if view.outcome is not None and view.outcome.log_tail:
        why = f"its folder was dropped (evaluate.keep: {found.config.evaluate.keep})"
        click.echo(click.style(f"==> the last 4 kB, from the journal; {why} <==", bold=True))
        click.echo(view.outcome.log_tail.rstrip("\n"))
    elif view.outcome is not None or folder.is_dir():
        click.echo(f"trial {number}, attempt {wanted} wrote nothing", err=True)
    else:
        raise Failure(f"trial {number}, attempt {wanted} is {view.end}; nothing is here of what it wrote")


def _echo_trial(found: Overview, n: int) -> None:
    state = found.trial(n)
    trial, outcome, folder = state.trial, found.outcome(n), found.directory.trial(n)
    origin = f"{trial.origin}{f' of engine {trial.engine}' if trial.engine else ''}"
    if trial.acquisition is not None:
        origin += f", acquisition {number(trial.acquisition)}"
    pending = ""
    if trial.pending:
        word = "trial" if len(trial.pending) == 1 else "trials"
        pending = f"; pending then: {word} {', '.join(map(str, trial.pending))}"
    echo_facts(
        [
            ("trial", str(n)),
            ("status", str(state.status)),
            ("params", assignments(trial.params, "\n")),
            ("origin", origin),
            ("asked", f"{moment(trial.asked_at)} (took {duration(trial.ask_s)})"),
            ("knowing", f"{count(trial.told, 'result')}{pending}"),
            ("details", assignments(trial.details, "\n")),
            *(_result_facts(outcome) if outcome is not None else ()),
            ("folder", str(folder) if folder.is_dir() else ""),
        ]
    )
    rows = [
        (
            str(view.attempt),
            view.end,
            str(view.cause),
            moment(view.submitted_at),
            _took(view),
            view.host,
            view.job,
            view.detail or _first_line(view.outcome),
        )
        for view in found.attempts(n)
    ]
    if rows:
        click.echo()
        echo_table(("attempt", "end", "cause", "submitted", "took", "host", "job", "detail"), rows)


def _result_facts(outcome: Outcome) -> list[tuple[str, str]]:
    last = {name: (step, value) for step, name, value in outcome.metrics}
    return [
        ("values", assignments(outcome.values, "\n")),
        (
            "arrays",
            "\n".join(
                f"{name}: {array.dtype} ({', '.join(map('{}: {}'.format, array.dims, array.shape))})"
                for name, array in outcome.arrays.items()
            ),
        ),
        (
            "metrics",
            "\n".join(
                f"{name} = {number(value)} at step {number(step)}" for name, (step, value) in last.items()
            ),
        ),
        ("cause", str(outcome.cause)),
        ("error", outcome.error),
        ("exit code", "" if not outcome.exit_code else str(outcome.exit_code)),
    ]


def _took(view: AttemptView) -> str:
    if view.outcome is not None:
        return duration(view.outcome.duration_s)
    if view.submitted_at is None or view.ended_at is None:
        return ""
    return duration(view.ended_at - view.submitted_at)


def _first_line(outcome: Outcome | None) -> str:
    return next(iter(outcome.error.splitlines()), "") if outcome is not None else ""


def _attempt_json(view: AttemptView) -> Mapping[str, Any]:
    return {**plain(view), "outcome": _outcome_json(view.outcome)}


def _outcome_json(outcome: Outcome | None) -> Mapping[str, Any] | None:
    """The outcome without the bytes of its arrays, and with its metrics by name."""
    if outcome is None:
        return None
    metrics: dict[str, list[tuple[float, float]]] = {}
    for step, name, value in outcome.metrics:
        metrics.setdefault(name, []).append((step, value))
    arrays = {
        name: {"dtype": array.dtype, "dims": array.dims, "shape": array.shape}
        for name, array in outcome.arrays.items()
    }
    return {**plain(outcome), "metrics": plain(metrics), "arrays": plain(arrays)}
