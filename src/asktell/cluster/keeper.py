"""Decides how many jobs there should be, and when to submit or to look. Pure: no I/O, time is passed in.

    slots seen ──┐                       ┌─► Submit
    answers ─────┼─► keeper ── plan(at) ─┤
    submissions ─┘                       └─► Look

Two witnesses tell whether a job lives: the batch system, which is asked rarely and may be silent, and dask,
which knows at once that a worker joined or left but not why. A job that both have given up is replaced; the
silence of one alone is never a reason. What waits in the queue is never cancelled.

Times are Unix seconds, durations seconds.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from asktell.cluster.queues import End, JobState, Phase, SubmitRefused
from asktell.execute.protocol import SlotJoined

logger = logging.getLogger(__name__)

REJOIN_S = 5.0
"""A worker that left may be back after so long: a connection broke, the job lives."""
SOON_S = 5.0
"""A loss pulls the next look at the queue forward to so long after the last one."""
SILENT_S = 60.0
"""Workers gone, and no word from the queue for so long: the job counts as gone."""
MISSING_S, MISSING_LOOKS = 120.0, 3
"""A job without workers that so many answers over so long leave out is gone: one answer may be wrong."""
ENDING_S = 15.0
"""A job whose processes have been ending for so long will not be queued again."""
HOLLOW_S = 600.0
"""A job that has run for so long without a worker is replaced."""
BARREN_JOBS = 3
"""So many jobs in a row that ended before a worker of theirs joined: something is wrong with all of them."""
BACK_OFF_S, MAX_BACK_OFF_S = 5.0, 300.0
LEAD_S, MIN_LEAD_S = 30.0, 5.0
"""How long before a job's end its successor is submitted: until jobs have told, and at least."""
RECENT_WAITS = 8

_NOBODYS_FAULT = {End.CANCELLED, End.PREEMPTED, End.NODE_FAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a study file says of its jobs. can_list: the batch system can tell how they stand."""

    jobs: int
    workers_per_job: int = 1
    submit_every_s: float = 1.0
    query_every_s: float = 30.0
    max_queued: int | None = None
    can_list: bool = True


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit one job, then tell `submitted` or `refused`."""


@dataclass(frozen=True, slots=True)
class Look:
    """Ask how these jobs stand, all with one command, then tell `answered` or `silent`."""

    ids: tuple[str, ...]


Order = Submit | Look


@dataclass(slots=True)
class Job:
    """A job of ours. slots: its live workers; released: those among them that the study has let go."""

    id: str
    submitted_at: float | None = None
    phase: Phase = Phase.UNKNOWN
    reason: str = ""
    ends_at: float | None = None
    running_since: float | None = None
    joined_at: float | None = None
    left_at: float | None = None  # its last worker
    ending_since: float | None = None
    missing_since: float | None = None  # from the batch system's answers
    missed_at: float = -math.inf  # by the last of them
    missing_looks: int = 0
    is_unexplained: bool = False  # a worker left, and the queue was not asked since
    is_retired: bool = False
    slots: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)

    @property
    def is_running(self) -> bool:
        return bool(self.slots) or self.phase is Phase.RUNNING

    @property
    def is_finishing(self) -> bool:
        """It runs for an earlier driver: its workers end what they have in hand, and take nothing new."""
        return self.submitted_at is None and self.joined_at is None and self.phase is Phase.RUNNING

    def start_over(self) -> None:
        """The batch system has queued it again: what is known of its earlier life says nothing."""
        self.running_since = self.joined_at = self.left_at = self.ending_since = self.ends_at = None
        self.is_retired = False
        self.released.clear()


class Keeper:
    """The jobs of one driver, and how many more there should be."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[str, Job] = {}
        self._ended: set[str] = set()
        self._slots: dict[str, str] = {}
        self._wanted = 0
        self._waits: deque[float] = deque(maxlen=RECENT_WAITS)
        self._looked_at = -math.inf
        self._answered_at = -math.inf
        self._news_at = -math.inf
        self._silence = ""
        self._is_submitting = False
        self._submit_from = -math.inf
        self._refusals = 0
        self._refused: SubmitRefused | None = None
        self._barren: list[str] = []

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Jobs that wait or run, for all that is known."""
        return self._jobs

    # ---- what happens --------------------------------------------------------------------------

    def want(self, slots: int) -> None:
        """So many workers are of use."""
        self._wanted = slots

    def adopt(self, state: JobState, at: float) -> None:
        """A job of an earlier driver that waits or runs."""
        job = self._jobs.setdefault(state.id, Job(state.id))
        self._learn(job, state, at)

    def seen(self, slots: Iterable[SlotJoined], at: float) -> None:
        """The workers that are there now."""
        present = {slot.slot: slot for slot in slots if slot.job and slot.job not in self._ended}
        for name in self._slots.keys() - present.keys():
            self._leave(name, at)
        for name in present.keys() - self._slots.keys():
            self._join(present[name], at)

    def release(self, slot: str) -> None:
        """The study has no more work for this worker."""
        if (job := self._jobs.get(self._slots.get(slot, ""))) is not None:
            job.released.add(slot)
            job.is_retired = job.slots <= job.released

    def submitted(self, job: str, at: float) -> None:
        """The submission that was ordered went well."""
        self._is_submitting = False
        self._refusals, self._refused = 0, None
        # A job may start, and its worker be seen, before the command that submitted it returns.
        self._jobs.setdefault(job, Job(job)).submitted_at = at
        self._submit_from = max(self._submit_from, at + self._limits.submit_every_s)

    def refused(self, refusal: SubmitRefused, at: float) -> None:
        """The submission that was ordered failed."""
        self._is_submitting = False
        self._refusals += 1
        self._refused = refusal
        self._submit_from = at + max(_back_off(self._refusals), self._limits.submit_every_s)

    def answered(self, asked: Collection[str], states: Mapping[str, JobState], at: float) -> None:
        """What the batch system said of the jobs it was asked for; it may have left some out."""
        self._answered_at, self._silence = at, ""
        for name in asked:
            job = self._jobs.get(name)
            if job is None:
                continue
            job.is_unexplained = False
            if name in states:
                self._learn(job, states[name], at)
            else:
                job.missing_looks += 1
                job.missed_at = at
                job.missing_since = at if job.missing_since is None else job.missing_since

    def silent(self, words: str) -> None:
        """The batch system did not answer."""
        self._silence = words

    # ---- what follows --------------------------------------------------------------------------

    def plan(self, at: float) -> list[Order]:
        """What to do now. Orders are carried out before the next plan is asked for."""
        for job in list(self._jobs.values()):
            self._judge(job, at)
        orders: list[Order] = []
        if ids := self._to_look_at(at):
            self._looked_at = at
            orders.append(Look(ids))
        if self._may_submit(at):
            self._is_submitting = True
            orders.append(Submit())
        return orders

    def failure(self) -> str:
        """Why it is no use to go on, or ''. While a job of ours runs there is always hope."""
        if any(job.is_running for job in self._jobs.values()):
            return ""
        if self._refused is not None and self._refused.is_permanent and not self._jobs:
            return f"the batch system takes no job: {self._refused.words}"
        if len(self._barren) >= BARREN_JOBS:
            names = ", ".join(self._barren[-BARREN_JOBS:])
            return f"jobs {names} ended before a worker of theirs reached the driver"
        return ""

    def note(self, at: float) -> str:
        """How things stand, for people."""
        finishing = sum(job.is_finishing for job in self._jobs.values())
        starting = sum(job.is_running and job.joined_at is None for job in self._jobs.values()) - finishing
        running = sum(job.is_running for job in self._jobs.values()) - starting - finishing
        waiting = [job for job in self._jobs.values() if not job.is_running]
        parts = []
        if running or not self._jobs:
            parts.append(f"{running} running")
        if starting:
            parts.append(f"{starting} starting")
        if finishing:
            parts.append(f"{finishing} finishing for an earlier driver")
        if waiting:
            reasons = Counter(job.reason for job in waiting if job.reason).most_common(1)
            parts.append(f"{len(waiting)} pending" + (f": {reasons[0][0]}" if reasons else ""))
        text = ", ".join(parts)
        if self._refused is not None:
            next_s = max(0, math.ceil(self._submit_from - at))
            text += f"; submitting failed: {self._refused.words}; next try in {next_s} s"
        if self._silence:
            text += f"; the queue does not answer: {self._silence}"
        return text

    # ---- jobs ----------------------------------------------------------------------------------

    def _join(self, slot: SlotJoined, at: float) -> None:
        job = self._jobs.setdefault(slot.job, Job(slot.job))
        self._slots[slot.slot] = slot.job
        if job.joined_at is None:
            job.joined_at = at
            if job.submitted_at is not None:
                self._waits.append(at - job.submitted_at)
        job.slots.add(slot.slot)
        job.left_at = job.missing_since = job.ending_since = None
        job.missing_looks = 0
        job.phase, job.reason = Phase.RUNNING, ""
        job.running_since = job.running_since or at
        job.ends_at = slot.ends_at or job.ends_at
        job.is_retired = False
        self._barren.clear()

    def _leave(self, name: str, at: float) -> None:
        job = self._jobs.get(self._slots.pop(name))
        if job is None:
            return
        job.slots.discard(name)
        if name in job.released:
            job.released.discard(name)
        else:
            job.is_unexplained = True
            self._hurry(at)
        job.is_retired = job.is_retired or (bool(job.slots) and job.slots <= job.released)
        if not job.slots:
            job.left_at = at

    def _learn(self, job: Job, state: JobState, at: float) -> None:
        job.missing_since, job.missing_looks = None, 0
        was, job.phase, job.reason = job.phase, state.phase, state.reason
        job.ends_at = state.ends_at or job.ends_at
        match state.phase:
            case Phase.QUEUED if was in (Phase.RUNNING, Phase.ENDING) and not job.slots:
                job.start_over()
            case Phase.RUNNING:
                job.running_since = job.running_since or at
            case Phase.ENDING:
                job.ending_since = job.ending_since or at
                self._hurry(at)
            case Phase.ENDED:
                self._drop(job, at, is_barren=state.end not in _NOBODYS_FAULT)
                self._ended.add(job.id)

    def _judge(self, job: Job, at: float) -> None:
        """Drop a job that both witnesses have given up, or that does nothing for too long."""
        if job.slots:
            return
        idle_s = at - job.left_at if job.left_at is not None else 0.0
        if job.ending_since is not None and at - job.ending_since >= ENDING_S:
            self._drop(job, at, is_barren=False)
        elif job.left_at is not None and idle_s >= REJOIN_S:
            is_missed = job.missed_at >= job.left_at
            is_silent = self._answered_at < job.left_at and idle_s >= SILENT_S
            if not self._limits.can_list or is_missed or is_silent:
                self._drop(job, at, is_barren=False)
        elif (
            job.missing_since is not None
            and job.missing_looks >= MISSING_LOOKS
            and at - job.missing_since >= MISSING_S
        ):
            self._drop(job, at, is_barren=True)
        if job.id in self._jobs and job.phase is Phase.RUNNING and not job.is_finishing:
            since = max(job.left_at or -math.inf, job.running_since or -math.inf)
            if since > -math.inf and at - since >= HOLLOW_S:
                logger.warning(
                    "job %s has run for %d min without a worker that reaches the driver: it is replaced; "
                    "its log says more, and `asktell check --cluster` what to set",
                    job.id,
                    HOLLOW_S // 60,
                )
                self._drop(job, at, is_barren=True)

    def _drop(self, job: Job, at: float, *, is_barren: bool) -> None:
        del self._jobs[job.id]
        for slot in job.slots:
            self._slots.pop(slot, None)
        if is_barren and job.joined_at is None and job.submitted_at is not None:
            self._barren.append(job.id)
            self._submit_from = max(self._submit_from, at + _back_off(len(self._barren)))

    def _is_leaving(self, job: Job, at: float) -> bool:
        """Its successor should be on its way."""
        if job.is_retired:
            return True
        return (
            job.is_running and job.ends_at is not None and job.ends_at - at < self._lead_s(job, job.ends_at)
        )

    def _lead_s(self, job: Job, ends_at: float) -> float:
        """How long a job takes from its submission to its first worker, as the last ones did.

        At most half of a job's own time: beyond, it would be replaced as soon as it starts.
        """
        began = job.joined_at or job.running_since or ends_at
        lead_s = median(self._waits) if self._waits else LEAD_S
        return min(max(lead_s, MIN_LEAD_S), (ends_at - began) / 2)

    # ---- orders --------------------------------------------------------------------------------

    def _may_submit(self, at: float) -> bool:
        if self._is_submitting or at < self._submit_from or self.failure():
            return False
        queued = sum(not job.is_running for job in self._jobs.values())
        if self._limits.max_queued is not None and queued >= self._limits.max_queued:
            return False
        needed = min(self._limits.jobs, math.ceil(self._wanted / self._limits.workers_per_job))
        return needed > sum(not self._is_leaving(job, at) for job in self._jobs.values())

    def _hurry(self, at: float) -> None:
        """Look at the queue earlier than the next time: what has just happened there is of interest."""
        # The batch system needs a moment itself before it knows.
        self._news_at = at + 1.0

    def _to_look_at(self, at: float) -> tuple[str, ...]:
        """Jobs about which the queue knows more than dask does, once it is time to ask."""
        regular = self._looked_at + self._limits.query_every_s
        hurried = max(self._news_at, self._looked_at + SOON_S)
        has_news = self._news_at > self._looked_at
        if not self._limits.can_list or at < (min(regular, hurried) if has_news else regular):
            return ()
        return tuple(job.id for job in self._jobs.values() if not job.slots or job.is_unexplained)


def _back_off(failures: int) -> float:
    """Longer from failure to failure. failures: in a row, from 1."""
    return min(BACK_OFF_S * 2.0 ** min(failures - 1, 10), MAX_BACK_OFF_S)
