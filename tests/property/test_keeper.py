"""The keeper before a batch system that starts, kills, forgets and falls silent at any time."""

import math
from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from asktell.cluster.keeper import SOON_S, Keeper, Limits, Look, Submit
from asktell.cluster.queues import End, JobState, Phase, SubmitRefused
from asktell.execute.protocol import SlotJoined

LIMITS = st.builds(
    Limits,
    jobs=st.integers(1, 4),
    workers_per_job=st.integers(1, 3),
    submit_every_s=st.sampled_from([0.0, 1.0, 7.0]),
    query_every_s=st.sampled_from([1.0, 30.0]),
    max_queued=st.sampled_from([None, 1, 2]),
    can_list=st.booleans(),
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["wait", "start", "kill", "requeue", "release", "silence", "answer", "refuse", "take", "want"]
        ),
        st.integers(0, 11),
    ),
    max_size=40,
)


@dataclass
class SimulatedJob:
    phase: Phase = Phase.QUEUED
    slots: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    ends_at: float = math.inf


class BatchSystem:
    """Jobs, their workers, and a keeper that sees of them what a real one would."""

    def __init__(self, limits: Limits, walltime_s: float) -> None:
        self.limits = limits
        self.walltime_s = walltime_s
        self.keeper = Keeper(limits)
        self.jobs: dict[str, SimulatedJob] = {}
        self.now = 1e9
        self.n = 0
        self.is_silent = False
        self.refuses = False
        self.wanted = limits.jobs * limits.workers_per_job
        self.attempts: list[float] = []
        self.looks: list[float] = []
        self.keeper.want(self.wanted)

    @property
    def alive(self) -> list[SimulatedJob]:
        return [job for job in self.jobs.values() if job.phase is not Phase.ENDED]

    @property
    def needed(self) -> int:
        return min(self.limits.jobs, math.ceil(self.wanted / self.limits.workers_per_job))

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now += 0.5
            for job in self.alive:
                if self.now >= job.ends_at:
                    self.end(job)
            self.turn()

    def turn(self) -> None:
        slots = [
            SlotJoined(slot, job=name, ends_at=job.ends_at if job.ends_at < math.inf else None)
            for name, job in self.jobs.items()
            for slot in job.slots
        ]
        self.keeper.seen(slots, self.now)
        for order in self.keeper.plan(self.now):
            match order:
                case Look(ids):
                    self.looks.append(self.now)
                    self.look(ids)
                case Submit():
                    self.attempts.append(self.now)
                    self.submit()

    def look(self, ids: tuple[str, ...]) -> None:
        if self.is_silent:
            self.keeper.silent("socket timed out")
            return
        states = {name: JobState(name, self.jobs[name].phase, end=End.CANCELLED) for name in ids}
        self.keeper.answered(ids, states, self.now)

    def submit(self) -> None:
        if self.refuses:
            self.keeper.refused(SubmitRefused("try again later"), self.now)
            return
        self.n += 1
        self.jobs[str(self.n)] = SimulatedJob()
        self.keeper.submitted(str(self.n), self.now)

    def start(self, job: SimulatedJob) -> None:
        job.phase = Phase.RUNNING
        job.ends_at = self.now + self.walltime_s
        self.n += 1
        job.slots = {f"{self.n}-{place}" for place in range(self.limits.workers_per_job)}

    def end(self, job: SimulatedJob) -> None:
        job.phase, job.slots = Phase.ENDED, set()

    def act(self, action: str, which: int) -> None:
        queued = [job for job in self.alive if job.phase is Phase.QUEUED]
        running = [job for job in self.alive if job.phase is Phase.RUNNING]
        match action:
            case "wait":
                self.advance(0.5 * 2**which)
            case "start" if queued:
                self.start(queued[which % len(queued)])
            case "kill" if self.alive:
                self.end(self.alive[which % len(self.alive)])
            case "requeue" if running and self.limits.can_list:
                job = running[which % len(running)]
                job.phase, job.slots, job.ends_at = Phase.QUEUED, set(), math.inf
            case "release" if running:
                job = running[which % len(running)]
                for slot in job.slots:
                    self.keeper.release(slot)
                self.end(job)
            case "silence" | "answer":
                self.is_silent = action == "silence"
            case "refuse" | "take":
                self.refuses = action == "refuse"
            case "want":
                self.wanted = which
                self.keeper.want(which)
        self.turn()

    def settle(self) -> None:
        """Nothing bad happens any more, for as long as it takes."""
        self.is_silent = self.refuses = False
        self.advance(400)  # the longest back-off
        for _ in range(20):
            for job in self.alive:
                if job.phase is Phase.QUEUED:
                    self.start(job)
            self.advance(40)


# A back-off shorter than the throttle, and a loss just before a regular look.
@example(Limits(jobs=1, submit_every_s=7.0, can_list=False), [("refuse", 0), ("wait", 4)], 90.0)
@example(Limits(jobs=2, submit_every_s=0.0), [("wait", 0), ("start", 0), ("wait", 8)], 90.0)
@settings(max_examples=200, deadline=None)
@given(limits=LIMITS, actions=ACTIONS, walltime_s=st.sampled_from([90.0, 1e6]))
def test_under_any_fate_jobs_are_neither_too_many_nor_too_fast(
    limits: Limits, actions: list[tuple[str, int]], walltime_s: float
) -> None:
    system = BatchSystem(limits, walltime_s)
    for action, which in actions:
        before = len(system.attempts)
        system.act(action, which)
        staying = [job for job in system.alive if job.ends_at - system.now > walltime_s / 2]
        assert len(staying) <= limits.jobs
        if len(system.attempts) > before:
            assert sum(job.phase is Phase.QUEUED for job in system.alive) <= (limits.max_queued or 99)
    pauses = [later - sooner for sooner, later in zip(system.attempts, system.attempts[1:], strict=False)]
    assert all(pause >= limits.submit_every_s for pause in pauses)
    looks = [later - sooner for sooner, later in zip(system.looks, system.looks[1:], strict=False)]
    assert all(pause >= min(SOON_S, limits.query_every_s) for pause in looks)
    assert limits.can_list or not looks


@settings(max_examples=60, deadline=None)
@given(limits=LIMITS, actions=ACTIONS)
def test_when_peace_returns_as_many_jobs_run_as_are_wanted(
    limits: Limits, actions: list[tuple[str, int]]
) -> None:
    if not limits.can_list:
        # Who cannot ask learns of the death of a job only by its workers.
        actions = [item for item in actions if item[0] not in ("kill", "release")]
    system = BatchSystem(limits, 1e6)
    for action, which in actions:
        system.act(action, which)
    system.wanted = max(system.wanted, 1)
    system.keeper.want(system.wanted)
    system.settle()
    assert system.keeper.failure() == ""
    running = [job for job in system.alive if job.phase is Phase.RUNNING]
    assert system.needed <= len(running) <= limits.jobs
    assert set(system.keeper.jobs) == {
        name for name, job in system.jobs.items() if job.phase is not Phase.ENDED
    }


@settings(max_examples=40, deadline=None)
@given(limits=LIMITS, started=st.integers(0, 4), minutes=st.integers(1, 90))
def test_silence_of_the_queue_by_itself_submits_nothing(limits: Limits, started: int, minutes: int) -> None:
    system = BatchSystem(limits, 1e6)
    system.advance(60)
    for job in system.alive[:started]:
        system.start(job)
    system.advance(60)
    before = len(system.attempts)
    system.is_silent = True
    queued = sum(job.phase is Phase.QUEUED for job in system.alive)
    system.advance(60 * minutes)
    assert len(system.attempts) == before
    assert sum(job.phase is Phase.QUEUED for job in system.alive) == queued
