"""How a running study fares: counts, incumbent, utilisation, estimated end.

`Progress` watches the loop; what it knows goes to DIR/progress.json and to whoever displays it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from asktell.directory import write_json
from asktell.execute.protocol import ExecutorEvent, MetricsLogged, SlotJoined, SlotLeft, TaskEnded
from asktell.html import card
from asktell.records import Closed, Ended, Lost, Record, Retried, StopRequested
from asktell.study import StudyMachine
from asktell.trial import Status, Value, values_html

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The best feasible trial so far; values in the objectives' own sign."""

    number: int
    params: Mapping[str, Value]
    values: Mapping[str, float]

    def _repr_html_(self) -> str:
        return card(f"trial {self.number}", "the best so far", values_html({**self.values, **self.params}))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a study at one time.

    total: of the budget, None where it has none; elapsed_s: wall time over all sessions;
    utilisation: busy slot time by live slot time of this session, NaN before there is any;
    remaining_s: estimated from this session's attempts, NaN before the first has ended;
    note: how its batch jobs stand.
    """

    name: str
    state: str
    reason: str
    total: int | None
    completed: int
    failed: int
    cancelled: int
    added: int
    running: int
    waiting: int
    workers: int
    lost: int
    incumbent: Incumbent | None
    elapsed_s: float
    core_hours: float
    utilisation: float
    remaining_s: float
    dashboard: str
    note: str
    updated_at: float

    @property
    def done(self) -> int:
        """Trials of the budget that have ended; `add`ed ones are not of it."""
        return self.completed + self.failed + self.cancelled - self.added


def incumbent(study: StudyMachine) -> Incumbent | None:
    """The best trial of a single-objective study."""
    if study.best is None:
        return None
    state = study.trials[study.best]
    assert state.outcome is not None
    return Incumbent(study.best, state.trial.params, state.outcome.values)


class Utilisation:
    """Busy slot time by live slot time; an attempt's duration includes its supervision."""

    def __init__(self) -> None:
        self._joined_at: dict[str, float] = {}
        self._left_s = 0.0
        self._busy_s = 0.0
        self.n_ended = 0

    def on_event(self, event: ExecutorEvent, at: float) -> None:
        match event:
            case SlotJoined():
                self._joined_at[event.slot] = at
            case SlotLeft():
                self._left_s += at - self._joined_at.pop(event.slot, at)
            case TaskEnded():
                self._busy_s += event.outcome.duration_s
                self.n_ended += 1

    def live_s(self, at: float) -> float:
        return self._left_s + sum(at - joined for joined in self._joined_at.values())

    def share(self, study: StudyMachine, at: float) -> float:
        """What part of the live slots' time attempts took; running ones count from their submission."""
        oldest: dict[str, float] = {}
        for task in study.running.values():
            if task.slot in self._joined_at:
                oldest[task.slot] = min(task.at, oldest.get(task.slot, task.at))
        running_s = 0.0 if study.rules.schedule.ahead else sum(at - begun for begun in oldest.values())
        live_s = self.live_s(at)
        return min(1.0, (self._busy_s + running_s) / live_s) if live_s > 0 else float("nan")

    def pace_s(self, at: float) -> float:
        """Seconds per trial of this session, proposals and all; NaN before the first has ended.

        At first from how long attempts take, later from how many have ended.
        """
        if not self.n_ended or not self._joined_at:
            return float("nan")
        slots = len(self._joined_at)
        if self.n_ended < 3 * slots:
            return self._busy_s / self.n_ended / slots
        return self.live_s(at) / slots / self.n_ended


class Progress:
    """An observer of the loop that keeps DIR/progress.json and tells a display."""

    def __init__(
        self,
        name: str,
        study: StudyMachine,
        *,
        path: Path,
        dashboard: Callable[[], str] = lambda: "",
        note: Callable[[], str] = lambda: "",
        display: Callable[[Snapshot, Record | MetricsLogged | None], None] = lambda *_: None,
    ) -> None:
        self._name = name
        self._study = study
        self._path = path
        self._dashboard = dashboard
        self._note = note
        self._display = display
        self._utilisation = Utilisation()
        self._written_at = float("-inf")

    def on_event(self, event: ExecutorEvent, at: float) -> None:
        self._utilisation.on_event(event, at)
        if isinstance(event, MetricsLogged):
            self._display(self.snapshot(at), event)

    def on_record(self, record: Record) -> None:
        if isinstance(record, Ended | Lost | Retried | StopRequested):
            self._display(self.snapshot(record.at), record)
        if isinstance(record, Closed):
            snapshot = self.snapshot(record.at, "done" if record.done else "stopped", record.reason)
            self._write(snapshot)
            self._display(snapshot, record)

    def on_tick(self, at: float) -> None:
        if abs(at - self._written_at) >= WRITE_EVERY_S:
            snapshot = self.snapshot(at)
            self._write(snapshot)
            self._display(snapshot, None)

    def snapshot(self, at: float, state: str = "running", reason: str = "") -> Snapshot:
        """The study as it stands."""
        study = self._study
        counts = study.counts
        n_running, n_waiting = counts[Status.RUNNING], counts[Status.WAITING]
        total = study.rules.budget.trials
        left = max(0, total - study.n_counted) if total is not None else None
        remaining_s = float("nan")
        if left is not None:
            remaining_s = (left + n_waiting + n_running / 2) * self._utilisation.pace_s(at)
        return Snapshot(
            name=self._name,
            state=state,
            reason=reason,
            total=total,
            completed=counts[Status.COMPLETED],
            failed=counts[Status.FAILED],
            cancelled=counts[Status.CANCELLED],
            added=len(study.trials) - study.n_counted,
            running=n_running,
            waiting=n_waiting,
            workers=len(study.slots),
            lost=study.n_lost,
            incumbent=incumbent(study),
            elapsed_s=study.elapsed_s(at),
            core_hours=study.core_hours,
            utilisation=self._utilisation.share(study, at),
            remaining_s=0.0 if state == "done" else remaining_s,
            dashboard=self._dashboard(),
            note=self._note(),
            updated_at=at,
        )

    def _write(self, snapshot: Snapshot) -> None:
        self._written_at = snapshot.updated_at
        try:
            write_json(self._path, {**asdict(snapshot), "done": snapshot.done})
        except OSError as error:
            logger.warning("%s could not be written: %s", self._path, error)
