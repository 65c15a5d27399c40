"""What a study's journal says, read without the lease: from any process, whether a driver runs or not."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from asktell.config import StudyConfig, from_resolved
from asktell.directory import StudyDirectory
from asktell.errors import TrialError
from asktell.inbox import Inbox
from asktell.journal import holder, replay_driver, segments
from asktell.optimize.hypervolume import is_efficient
from asktell.progress import Incumbent, Progress, Snapshot, incumbent
from asktell.records import (
    Added,
    Closed,
    Ended,
    Enqueued,
    Known,
    Lost,
    Opened,
    Record,
    Retried,
    Submitted,
    Superseded,
)
from asktell.session import rules_of, runtime_of, study_directory
from asktell.study import StudyMachine, TrialState, is_feasible, replay
from asktell.trial import Cause, Outcome, Status, Trial

HOLDER_TTL_S = 15.0
"""A driver on another host that gives no sign of life for three heartbeats is called dead here.

Only what people read depends on it; a driver that wants the lease waits longer.
"""


class State(StrEnum):
    """Where a study stands."""

    NEW = "new"  # created, never run
    RUNNING = "running"  # a driver is alive
    STOPPED = "stopped"  # its driver ended in an orderly way, before the budget's end
    INTERRUPTED = "interrupted"  # its driver died
    DONE = "done"


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt as the journal tells it. ended_at, outcome: None while it runs or where it has none.

    end: completed, failed, retried (failed, and tried again), lost, superseded, cancelled or running.
    """

    attempt: int
    slot: str = ""
    job: str = ""
    host: str = ""
    submitted_at: float | None = None
    ended_at: float | None = None
    end: str = "running"
    cause: Cause = Cause.NONE
    detail: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """A study at one moment.

    records: those that count, in order; driver: the living one; requests: what people have asked
    for and no driver has taken in yet.
    """

    directory: StudyDirectory
    config: StudyConfig
    study: StudyMachine
    records: Sequence[Record]
    driver: Opened | None
    requests: Sequence[Enqueued | Known] = ()

    @property
    def state(self) -> State:
        if self.driver is not None:
            return State.RUNNING
        if not self.records:
            return State.NEW
        last = self.records[-1]
        if isinstance(last, Closed):
            return State.DONE if last.done else State.STOPPED
        return State.INTERRUPTED

    @property
    def is_done(self) -> bool:
        return self.state is State.DONE

    @property
    def reason(self) -> str:
        """Why the last driver ended, '' where one runs or none ever did."""
        match self.state, self.records[-1] if self.records else None:
            case State.DONE | State.STOPPED, Closed(reason=reason):
                return reason
            case State.INTERRUPTED, _:
                return "the driver died"
        return ""

    def trial(self, number: int) -> TrialState:
        """The trial with this number; raises TrialError if there is none."""
        if number not in self.study.trials:
            n = len(self.study.trials)
            known = f"it has trials 0 to {n - 1}" if n else "it has none yet"
            raise TrialError(f"{self.directory.root} has no trial {number}; {known}")
        return self.study.trials[number]

    def outcome(self, number: int) -> Outcome | None:
        """What the trial came to, whole: with its metrics; None while it is open."""
        for record in self.records:
            match record:
                case Ended(number=found, outcome=outcome) if found == number:
                    return outcome
                case Added(trial=Trial(number=found), outcome=outcome) if found == number:
                    return outcome
        return None

    def failures(self) -> Mapping[Cause, int]:
        """Failed trials by cause, the most frequent first."""
        causes = Counter(
            state.outcome.cause
            for state in self.study.trials.values()
            if state.status is Status.FAILED and state.outcome is not None
        )
        return dict(causes.most_common())

    def losses(self) -> Mapping[Cause, int]:
        """Lost attempts by cause, the most frequent first."""
        causes = Counter(record.cause for record in self.records if isinstance(record, Lost))
        return dict(causes.most_common())

    def best(self) -> list[Incumbent]:
        """The incumbent, or with several objectives the trials that no other one beats in all of them."""
        if len(self.study.rules.signs) == 1:
            best = incumbent(self.study)
            return [] if best is None else [best]
        found = [
            Incumbent(state.trial.number, state.trial.params, state.outcome.values)
            for state in self.study.trials.values()
            if state.status is Status.COMPLETED
            and state.outcome is not None
            and is_feasible(state.outcome.values, self.study.rules.bounds)
        ]
        signs = self.study.rules.signs.items()
        losses = np.array([[sign * item.values[name] for name, sign in signs] for item in found])
        return [item for item, is_best in zip(found, is_efficient(losses), strict=True) if is_best]

    def attempts(self, number: int) -> list[AttemptView]:
        """Every attempt of a trial, in order."""
        views: dict[int, AttemptView] = {}
        for record in self.records:
            if not isinstance(record, Submitted | Lost | Retried | Ended | Superseded):
                continue
            if record.number != number:
                continue
            view = views.get(record.attempt, AttemptView(record.attempt))
            views[record.attempt] = _after(view, record)
        return [views[attempt] for attempt in sorted(views)]

    def snapshot(self, at: float) -> Snapshot:
        """The study as `DIR/progress.json` would have it now.

        What only its driver knows (slots, utilisation, estimated end) comes from that file.
        """
        is_running = self.state is State.RUNNING
        at = at if is_running or not self.records else self.records[-1].at
        progress = Progress(self.config.name, self.study, path=self.directory.progress)
        found = progress.snapshot(at, str(self.state), self.reason)
        told = _read_json(self.directory.progress) if is_running else {}
        return replace(
            found,
            workers=int(told.get("workers") or 0),
            utilisation=_number(told.get("utilisation")),
            remaining_s=_number(told.get("remaining_s")),
            dashboard=str(told.get("dashboard") or ""),
            note=str(told.get("note") or ""),
            updated_at=at,
        )


def read_study(path: Path, *, ttl_s: float = HOLDER_TTL_S) -> Overview:
    """The study in a directory as its journal has it now; touches nothing.

    Where its last driver ran on another host and did not close, it takes up to `ttl_s` to see
    whether that one lives. Raises StudyError if there is no study, JournalError if it is damaged.
    """
    directory = study_directory(path)
    config = from_resolved(directory.config)
    if not segments(directory.journal, "driver"):
        machine, records, driver = StudyMachine(rules_of(config)), list[Record](), None
    else:
        # The driver first: if it ends meanwhile, its last record is in what is read next.
        driver = holder(directory.journal, ttl_s=ttl_s)
        records = replay_driver(directory.journal)
        machine = replay(rules_of(config), records, runtime_of(config))
    asked = Inbox(directory.journal).requests(machine.sources)
    requests = [request for _, request in asked if isinstance(request, Enqueued | Known)]
    return Overview(directory, config, machine, records, driver, requests)


def _after(view: AttemptView, record: Submitted | Lost | Retried | Ended | Superseded) -> AttemptView:
    match record:
        case Submitted():
            return replace(view, slot=record.slot, job=record.job, host=record.host, submitted_at=record.at)
        case Lost():
            return replace(view, ended_at=record.at, end="lost", cause=record.cause, detail=record.detail)
        case Ended(outcome=Outcome(started_at=0.0)) if view.end == "lost":
            return view  # the trial's verdict after its last loss, which is there already
        case Retried():
            end = "retried"
        case Superseded():
            end = "superseded"
        case Ended():
            end = str(record.outcome.status)
    outcome = record.outcome
    return replace(
        view,
        ended_at=record.at,
        end=end,
        cause=outcome.cause,
        outcome=outcome,
        job=outcome.job or view.job,
        host=outcome.host or view.host,
    )


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
