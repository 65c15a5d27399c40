"""A study's news in words, and how it stands: the same for a terminal, a file and a notebook."""

from __future__ import annotations

import math
import os
import re
import socket
import time
from collections.abc import Callable, Sequence

from asktell.execute.protocol import MetricsLogged
from asktell.progress import Incumbent, Snapshot
from asktell.records import Closed, Ended, Lost, Record, Retried, StopRequested
from asktell.trial import Outcome, Status
from asktell.wording import assignments, count, duration, number, percent

News = Record | MetricsLogged | None

_MOST_LINES = 20
_LINE_EVERY_S = 10.0
_MOST_NOTES = 2
_NOTE_EVERY_S = 30.0


class Pace:
    """Lets the first `burst` lines through, then one every `every_s`; unused ones are saved up to `burst`.

    A long study of short trials stays readable that way, one of long trials tells them all.
    """

    def __init__(self, burst: int, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = float(burst)
        self._every_s = every_s
        self._clock = clock
        self._left = float(burst)
        self._at = clock()

    def allows(self) -> bool:
        """Whether one more line may be written now; it counts as written."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) / self._every_s)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Narrator:
    """Turns what happens into lines: every failure, loss and incumbent, other trials at a pace.

    How the batch jobs stand is told when it changes, at a pace of its own.
    """

    def __init__(self, objectives: Sequence[str], pace: Pace, pace_of_notes: Pace) -> None:
        self._objectives = tuple(objectives)
        self._pace = pace
        self._pace_of_notes = pace_of_notes
        self._dashboard = ""
        self._note = ""

    def lines(self, snapshot: Snapshot, news: News) -> list[str]:
        """What there is to say now, oldest first."""
        said = []
        if snapshot.dashboard and snapshot.dashboard != self._dashboard:
            self._dashboard = snapshot.dashboard
            said.append(f"dashboard: {snapshot.dashboard}{tunnel(snapshot.dashboard)}")
        if snapshot.note and snapshot.note != self._note and self._pace_of_notes.allows():
            self._note = snapshot.note
            said.append(f"jobs: {snapshot.note}")
        match news:
            case Lost(number=n, attempt=attempt, cause=cause, detail=detail):
                said.append(
                    f"trial {n}, attempt {attempt}, is lost: {cause}{f': {detail}' if detail else ''}"
                )
            case Retried():
                said.append(f"{_what_failed(news.number, news.attempt, news.outcome)}; it is tried again")
            case Ended(outcome=outcome) if outcome.status is Status.FAILED:
                said.append(f"{_what_failed(news.number, news.attempt, outcome)} {_tally(snapshot)}")
            case Ended(outcome=outcome):
                is_best = snapshot.incumbent is not None and snapshot.incumbent.number == news.number
                if is_best or self._pace.allows():
                    said.append(self._ended(news, snapshot, is_best=is_best))
            case StopRequested():
                said.append("stopping: the running trials are left for the next session")
            case Closed():
                said.append(f"{'done' if news.done else 'stopped'}: {news.reason} {_tally(snapshot)}")
        return said

    def _ended(self, record: Ended, snapshot: Snapshot, *, is_best: bool) -> str:
        outcome = record.outcome
        shown = {name: outcome.values[name] for name in self._objectives if name in outcome.values}
        took = f" in {duration(outcome.duration_s)}" if outcome.duration_s else ""
        best = ""
        if is_best and snapshot.incumbent is not None:
            best = f", the best so far, at {assignments(snapshot.incumbent.params)}"
        return f"trial {record.number} {outcome.status}{took}: {assignments(shown)}{best} {_tally(snapshot)}"


def usual_narrator(objectives: Sequence[str]) -> Narrator:
    """A narrator at the pace of people."""
    return Narrator(objectives, Pace(_MOST_LINES, _LINE_EVERY_S), Pace(_MOST_NOTES, _NOTE_EVERY_S))


def panel_facts(snapshot: Snapshot, metric: MetricsLogged | None = None) -> list[tuple[str, str]]:
    """What the panel says."""
    facts = [
        ("trials", counts_line(snapshot)),
        ("best", "" if snapshot.incumbent is None else incumbent_line(snapshot.incumbent)),
    ]
    if snapshot.workers:
        busy = f", {percent(snapshot.utilisation)} busy" if math.isfinite(snapshot.utilisation) else ""
        facts.append(("slots", f"{snapshot.workers}{busy}"))
    elif snapshot.state == "running":
        facts.append(("slots", "none yet: waiting for workers"))
    facts.append(("jobs", snapshot.note))
    facts.append(("time", time_line(snapshot)))
    if metric is not None and metric.metrics:
        step, name, value = metric.metrics[-1]
        facts.append(("metric", f"trial {metric.number}, step {number(step)}: {name} = {number(value)}"))
    facts.append(("dashboard", snapshot.dashboard))
    return [(label, text) for label, text in facts if text]


def counts_line(snapshot: Snapshot) -> str:
    """'57 of 200 done: 58 completed (3 added), 2 failed; 2 running; 1 attempt lost'."""
    total = f" of {snapshot.total}" if snapshot.total is not None else ""
    completed = f"completed ({snapshot.added} added)" if snapshot.added else "completed"
    ends = [(snapshot.completed, completed), (snapshot.failed, "failed"), (snapshot.cancelled, "cancelled")]
    parts = [f"{snapshot.done}{total} done"]
    if any(n for n, _ in ends):
        parts[0] += ": " + ", ".join(f"{n} {word}" for n, word in ends if n)
    still = [(snapshot.running, "running"), (snapshot.waiting, "waiting")]
    if snapshot.state != "running":
        still = [(snapshot.running + snapshot.waiting, "left for the next session")]
    parts += [f"{n} {word}" for n, word in still if n]
    if snapshot.lost:
        parts.append(f"{count(snapshot.lost, 'attempt')} lost")
    return "; ".join(parts)


def incumbent_line(incumbent: Incumbent) -> str:
    return f"trial {incumbent.number}: {assignments(incumbent.values)}\nat {assignments(incumbent.params)}"


def time_line(snapshot: Snapshot) -> str:
    """'4 min 10 s so far, about 8 min left (until 16:20)'."""
    text = f"{duration(snapshot.elapsed_s)} so far, {snapshot.core_hours:.3g} core-hours"
    if snapshot.state != "running" or not 0 < snapshot.remaining_s < float("inf"):
        return text
    end = time.localtime(snapshot.updated_at + snapshot.remaining_s)
    shown = time.strftime("%H:%M" if snapshot.remaining_s < 43200 else "%a %d %b, %H:%M", end)
    return f"{text}; about {duration(round(snapshot.remaining_s))} left (until {shown})"


def tunnel(dashboard: str) -> str:
    """How to see it from one's own machine, where one is logged in from there; '' elsewhere."""
    match = re.search(r"//[^/]*:(\d+)", dashboard)
    if match is None or "SSH_CONNECTION" not in os.environ:
        return ""
    return f" (from your machine: ssh -L {match[1]}:127.0.0.1:{match[1]} {socket.gethostname()})"


def _tally(snapshot: Snapshot) -> str:
    total = f"/{snapshot.total}" if snapshot.total is not None else ""
    failed = f", {snapshot.failed} failed" if snapshot.failed else ""
    left = ""
    if 0 < snapshot.remaining_s < float("inf"):
        left = f", {duration(round(snapshot.remaining_s))} left"
    return f"[{snapshot.done}{total} done, {snapshot.running} running{failed}{left}]"


def _what_failed(number: int, attempt: int, outcome: Outcome) -> str:
    which = f", attempt {attempt}," if attempt else ""
    first = next(iter(outcome.error.splitlines()), "")
    why = f"{outcome.cause}: {first}" if outcome.cause else first
    return f"trial {number}{which} failed: {why or 'no reason given'}"
