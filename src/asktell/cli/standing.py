"""How a study stands: `status`. It reads files, and does not touch the driver."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asktell.cli.drive import resume_hint
from asktell.cli.options import json_option, study_argument
from asktell.cli.output import echo_facts, echo_json, echo_table, plain
from asktell.wording import assignments, count, duration, moment

if TYPE_CHECKING:
    from asktell.overview import Overview
    from asktell.records import Submitted
    from asktell.submission import Chain

RUNNING = ("trial", "attempt", "for", "left", "on", "job", "point")
_MOST_FAILURES = 5


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
    echo_facts(status_facts(found, study))
    if rows := running_rows(found):
        click.echo()
        echo_table(RUNNING, rows)


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


def status_facts(found: Overview, study: Path) -> list[tuple[str, str]]:
    """How it stands in label and text. study: its directory as the person named it."""
    from asktell.narration import panel_facts

    state = str(found.state)
    if found.driver is not None:
        driver = found.driver
        state += f": process {driver.pid} on {driver.host}, since {moment(driver.at)}"
    elif found.reason:
        state += f": {found.reason}"
    job, log = _driver_job(found)
    goes_on = found.driver is not None or found.is_done or awaited_job(found)
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


def awaited_job(found: Overview) -> str:
    """The driver's job that was submitted after its last driver's end, or shortly before; '' for none."""
    if found.driver is not None or (chain := _chain(found)) is None or not chain.links:
        return ""
    last = chain.links[-1]
    is_next = (
        not found.records or last.at > found.records[-1].at or found.reason.endswith(f"to job {last.job}")
    )
    return last.job if is_next else ""


def is_in_queue(found: Overview) -> bool:
    """Whether a driver's job waits or runs, as the batch system says; where that is silent, it does."""
    from asktell.cluster.queues import QueueSilent

    chain = _chain(found)
    try:
        return chain is not None and bool(chain.states())
    except QueueSilent:
        return True


def _driver_job(found: Overview) -> tuple[str, str]:
    """The last job that was submitted for the driver, and its log; '' where it is or was none."""
    if (chain := _chain(found)) is None or not chain.links:
        return "", ""
    from asktell.submission import driver_log

    job = chain.links[-1].job
    return job, str(driver_log(found.directory, job))


def _chain(found: Overview) -> Chain | None:
    """The driver's jobs, None where the study was never submitted."""
    if not found.directory.driver_jobs.exists():
        return None  # most are not, and need not load what knows of batch systems
    from asktell.submission import read_chain

    return read_chain(found.directory)


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


def running_rows(found: Overview) -> list[tuple[str, ...]]:
    """The attempts under way, the longest first; headers: RUNNING."""
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
