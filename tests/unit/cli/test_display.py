"""What a run says, and how often."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from asktell.cli.display import LineDisplay, panel
from asktell.narration import Narrator, Pace, counts_line
from asktell.progress import Incumbent, Snapshot
from asktell.records import Ended, Lost, Retried
from asktell.trial import Cause, Outcome, Status

SILENT = Pace(burst=0, every_s=math.inf)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def snapshot(n_done: int, n_failed: int = 0, best: int | None = None, total: int | None = 1000) -> Snapshot:
    return Snapshot(
        name="toy",
        state="running",
        reason="",
        total=total,
        completed=n_done - n_failed,
        failed=n_failed,
        cancelled=0,
        added=0,
        running=2,
        waiting=0,
        workers=2,
        lost=0,
        incumbent=None if best is None else Incumbent(best, {"x": 0.5}, {"loss": 0.25}),
        elapsed_s=10.0,
        core_hours=0.1,
        utilisation=0.9,
        remaining_s=math.nan,
        dashboard="",
        note="",
        updated_at=0.0,
    )


def ended(number: int, error: str = "") -> Ended:
    status, cause = (Status.FAILED, Cause.OBJECTIVE_ERROR) if error else (Status.COMPLETED, Cause.NONE)
    outcome = Outcome(status, cause, error, values={"loss": 0.25, "other": 1.0}, duration_s=3.0)
    return Ended(number, 0, outcome, 0.0)


def test_a_long_fast_study_is_told_in_few_lines_a_slow_one_in_full() -> None:
    clock = Clock()
    pace = Pace(burst=5, every_s=10.0, clock=clock)
    assert sum(pace.allows() for _ in range(1000)) == 5
    clock.now = 20.0
    assert sum(pace.allows() for _ in range(1000)) == 2
    slow = 0
    for _ in range(100):
        clock.now += 11.0
        slow += pace.allows()
    assert slow == 100


def test_incumbents_and_failures_are_told_whatever_the_pace() -> None:
    narrator = Narrator(["loss"], SILENT, SILENT)
    assert narrator.lines(snapshot(7, best=3), ended(6)) == []
    (best,) = narrator.lines(snapshot(8, best=7), ended(7))
    assert "trial 7" in best
    assert "loss = 0.25" in best
    assert "x = 0.5" in best
    (failed,) = narrator.lines(snapshot(9, n_failed=1, best=7), ended(8, "ValueError: no\nTraceback"))
    assert "trial 8 failed: objective_error: ValueError: no [9/1000 done" in failed
    outcome = Outcome(Status.FAILED, Cause.TIMEOUT, "took too long")
    (retried,) = narrator.lines(snapshot(9), Retried(9, 1, outcome, 0.0))
    assert "trial 9, attempt 1, failed: timeout: took too long; it is tried again" in retried


def test_a_loss_is_told_with_its_cause() -> None:
    lost = Lost(3, 0, Cause.CANCELLED, counts=False, at=0.0, detail="job 47 was cancelled")
    (line,) = Narrator(["loss"], SILENT, SILENT).lines(snapshot(1), lost)
    assert line == "trial 3, attempt 0, is lost: cancelled: job 47 was cancelled"


def test_why_no_job_starts_is_told_once_and_a_countdown_now_and_then() -> None:
    clock = Clock()
    narrator = Narrator(["loss"], SILENT, Pace(burst=1, every_s=30.0, clock=clock))
    pending = replace(snapshot(0), note="1 pending: Priority")
    assert narrator.lines(pending, None) == ["jobs: 1 pending: Priority"]
    clock.now = 100.0
    assert narrator.lines(pending, None) == []
    told = []
    for left in range(90, 0, -1):
        clock.now += 1.0
        told += narrator.lines(replace(snapshot(0), note=f"next try in {left} s"), None)
    assert len(told) == 3


def test_added_results_are_told_apart_from_what_was_run() -> None:
    grown = replace(snapshot(5, total=9), added=2)
    assert counts_line(grown) == "3 of 9 done: 5 completed (2 added); 2 running"


@pytest.mark.parametrize("total", [None, 0, 1000])
def test_the_panel_fits_any_budget(total: int | None) -> None:
    from rich.console import Console

    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(panel(snapshot(7, best=3, total=total)))
    console.file.close()
    assert "trial 3: loss = 0.25" in console.export_text()


def test_a_run_outlives_the_reader_of_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("click.echo", broken)
    display = LineDisplay(Narrator(["loss"], Pace(burst=9, every_s=1.0), SILENT))
    display(snapshot(1, best=0), ended(0))
    display(snapshot(2, best=0), ended(1))
