"""How a study stands, once or all the time: `status`, `watch`. Neither touches its driver."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asktell.cli.drive import resume_hint
from asktell.cli.options import json_option, study_argument
from asktell.cli.output import echo_facts, echo_json, echo_table, is_terminal, plain, rich_table
from asktell.wording import assignments, count, duration, moment

if TYPE_CHECKING:
    from asktell.overview import Overview
    from asktell.records import Submitted

_RUNNING = ("trial", "attempt", "for", "left", "on", "job", "point")
_MOST_FAILURES = 5
_WATCH_EVERY_S = 2.0
_READING_SHARE = 0.1


@click.command()
@study_argument
@json_option
def status(study: Path, as_json: bool) -> None:
    """Show how a study stands: counts, failures, running trials.

    Works from any node, whether the study runs or not, and does not disturb its driver.
    """
    from asktell.overview import read_study

    found = read_study(study)
    if as_json:
        echo_json(_status_json(found))
        return
    echo_facts(_status_facts(found, study))
    if rows := _running_rows(found):
        click.echo()
        echo_table(_RUNNING, rows)


@click.command()
@study_argument
def watch(study: Path) -> None:
    """Follow a study until it ends.

    A live view on a terminal, a line per change elsewhere. Ctrl-C ends the watching, not the study.
    """
    from asktell.overview import State, read_study

    found, cost_s = _timed(read_study, study)
    if found.state is State.NEW:
        click.echo(f"{study} was never run; start it with {resume_hint(study)}")
        return
    try:
        found = (_watch_live if is_terminal() else _watch_lines)(study, found, cost_s)
    except KeyboardInterrupt:
        return  # the way to leave it
    echo_facts(_status_facts(found, study))


def _status_json(found: Overview) -> Mapping[str, Any]:
    now = time.time()
    snapshot = found.snapshot(now)
    driver = found.driver
    return {
        **plain(snapshot),
        "done": snapshot.done,
        "directory": found.directory.root,
        "driver": None
        if driver is None
        else {"host": driver.host, "pid": driver.pid, "since": driver.at, "token": driver.token},
        "failures": {str(cause) or "unknown": n for cause, n in found.failures().items()},
        "losses": {str(cause): n for cause, n in found.losses().items()},
        "queued": len(found.study.queue),
        "requested": len(found.requests),
        "attempts_running": [
            {
                "number": task.number,
                "attempt": task.attempt,
                "slot": task.slot,
                "job": task.job,
                "host": task.host,
                "remaining_s": _remaining_s(found, task, now),
                "submitted_at": task.at,
                "age_s": now - task.at,
                "params": found.study.trials[task.number].trial.params,
            }
            for task in found.study.running.values()
        ],
    }


def _status_facts(found: Overview, study: Path) -> list[tuple[str, str]]:
    from asktell.narration import panel_facts

    state = str(found.state)
    if found.driver is not None:
        driver = found.driver
        state += f": process {driver.pid} on {driver.host}, since {moment(driver.at)}"
    elif found.reason:
        state += f": {found.reason}"
    job, log = _driver_job(found)
    goes_on = found.driver is not None or found.is_done or (job and found.reason.endswith(f"to job {job}"))
    hint = "" if goes_on else resume_hint(study).strip("`")
    causes = {str(cause) or "unknown": n for cause, n in found.failures().items()}
    return [
        ("study", f"{found.config.name} in {study}"),
        ("state", state),
        ("driver's job", f"{job}, log {log}" if job else ""),
        *panel_facts(found.snapshot(time.time())),
        ("queued", count(len(found.study.queue), "point") if found.study.queue else ""),
        ("requested", _requests(found, study)),
        (
            "failures",
            "\n".join([", ".join(f"{cause} {n}" for cause, n in causes.items()), *_failures(found)]),
        ),
        ("lost", ", ".join(f"{cause} {n}" for cause, n in found.losses().items())),
        ("go on", hint),
    ]


def _driver_job(found: Overview) -> tuple[str, str]:
    """The last job that was submitted for the driver, and its log; '' where it is or was none."""
    if not found.directory.driver_jobs.exists():
        return "", ""
    from asktell.submission import driver_log, read_chain

    chain = read_chain(found.directory)
    if chain is None or not chain.links:
        return "", ""
    job = chain.links[-1].job
    return job, str(driver_log(found.directory, job))


def _requests(found: Overview, study: Path) -> str:
    """What people have asked for and no driver has taken in yet."""
    from asktell.records import Enqueued, Known

    n_points = sum(isinstance(item, Enqueued) for item in found.requests)
    n_results = sum(isinstance(item, Known) for item in found.requests)
    parts = [count(n_points, "point") if n_points else "", count(n_results, "result") if n_results else ""]
    if not (shown := " and ".join(filter(None, parts))):
        return ""
    if found.driver is not None:
        return f"{shown}; its driver takes them in"
    return f"{shown}; waits for {resume_hint(study, '--trials N' if found.is_done and n_points else '')}"


def _failures(found: Overview) -> list[str]:
    """The last failed trials, each with its error's first line."""
    failed = [item for item in found.study.trials.values() if item.outcome and item.status == "failed"]
    failed.sort(key=lambda state: state.row or 0)
    lines = []
    for state in failed[-_MOST_FAILURES:]:
        assert state.outcome is not None
        first = next(iter(state.outcome.error.splitlines()), "")
        lines.append(f"trial {state.trial.number}, {state.outcome.cause or 'failed'}: {first}")
    return lines


def _running_rows(found: Overview) -> list[tuple[str, ...]]:
    if found.driver is None:
        return []
    now = time.time()
    return [
        (
            str(task.number),
            str(task.attempt),
            duration(now - task.at),
            _remaining(_remaining_s(found, task, now)),
            task.host or task.slot,
            task.job,
            assignments(found.study.trials[task.number].trial.params),
        )
        for task in sorted(found.study.running.values(), key=lambda task: task.at)
    ]


def _remaining_s(found: Overview, task: Submitted, now: float) -> float | None:
    """How long an attempt will still run; None where nothing is known, 0 or less where it is overdue."""
    estimate = found.study.estimate(task.number)
    return None if estimate is None else estimate.median_s - (now - task.at)


def _remaining(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0:
        return "overdue"
    return f"about {duration(round(seconds))}" if seconds >= 1 else "under 1 s"


def _timed(read: Any, study: Path) -> tuple[Overview, float]:
    begun = time.monotonic()
    return read(study), time.monotonic() - begun


def _watch_live(study: Path, found: Overview, cost_s: float) -> Overview:
    from rich.console import Group
    from rich.live import Live

    from asktell.cli.display import panel
    from asktell.overview import State, read_study

    def view() -> Group:
        return Group(panel(found.snapshot(time.time())), rich_table(_RUNNING, _running_rows(found)))

    with Live(view(), auto_refresh=False, transient=True) as live:
        while found.state is State.RUNNING:
            _pause(cost_s)
            found, cost_s = _timed(read_study, study)
            live.update(view(), refresh=True)
    return found


def _watch_lines(study: Path, found: Overview, cost_s: float) -> Overview:
    from asktell.narration import counts_line, time_line
    from asktell.overview import State, read_study

    said = ""
    while found.state is State.RUNNING:
        snapshot = found.snapshot(time.time())
        if (counts := counts_line(snapshot)) != said:
            said = counts
            best = "" if snapshot.incumbent is None else f"; best {assignments(snapshot.incumbent.values)}"
            click.echo(f"{moment(time.time())}  {counts}{best}; {time_line(snapshot)}")
        _pause(cost_s)
        found, cost_s = _timed(read_study, study)
    return found


def _pause(cost_s: float) -> None:
    """A study that is long to read is read less often: no one pays for the watching of it."""
    time.sleep(max(_WATCH_EVERY_S, cost_s / _READING_SHARE))
