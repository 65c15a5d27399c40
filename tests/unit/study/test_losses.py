"""What follows from an attempt without a result, by its cause and the policy for it."""

from __future__ import annotations

import pytest

from asktell.execute.protocol import SlotJoined, TaskEnded, TaskLost
from asktell.records import Asked, Ended, Lost, Opened, Retried, Submitted
from asktell.study import POLICIES, Budget, Policy, Rules, StudyMachine
from asktell.trial import Cause, Outcome, Status, Trial

REPORTED = (Cause.OBJECTIVE_ERROR, Cause.INVALID_RESULT, Cause.TIMEOUT, Cause.OUT_OF_MEMORY)
LOST = (
    Cause.WALLTIME,
    Cause.PREEMPTED,
    Cause.NODE_FAILURE,
    Cause.CANCELLED,
    Cause.WORKER_LOST,
    Cause.OUT_OF_MEMORY,
)


class Patient:
    """One trial that loses one attempt after the other."""

    def __init__(self, policies: dict[Cause, Policy], *, retries: int = 0, max_lost: int = 3) -> None:
        rules = Rules(
            {"y": 1},
            budget=Budget(trials=1),
            retries=retries,
            max_lost=max_lost,
            policies={**POLICIES, **policies},
            walltime_s=3600.0,
        )
        self.machine = StudyMachine(rules)
        self.machine.apply(Opened(1, 0.0))
        self.machine.on(SlotJoined("a", job="7"), 0.0)
        self.machine.apply(Asked((Trial(0, {"x": 1.0}),), 0.0))

    def attempts(self, cause: Cause, *, is_reported: bool = False, most: int = 100) -> int:
        """How many it has before its end, at most `most`."""
        state = self.machine.trials[0]
        while state.is_open and state.attempts < most:
            attempt = state.attempts
            self.machine.apply(Submitted(0, attempt, "a", 0.0, token="t"))
            outcome = Outcome(Status.FAILED, cause, "no", started_at=1.0, duration_s=9.0)
            event = TaskEnded(0, attempt, outcome, "t") if is_reported else TaskLost(0, attempt, "no", cause)
            for record in self.machine.on(event, 10.0):
                self.machine.apply(record)
        return state.attempts

    @property
    def outcome(self) -> Outcome:
        outcome = self.machine.trials[0].outcome
        assert outcome is not None
        return outcome


@pytest.mark.parametrize("cause", REPORTED)
def test_a_failure_of_its_own_is_retried_as_often_as_the_study_says(cause: Cause) -> None:
    assert Patient({}).attempts(cause, is_reported=True) == 1
    assert Patient({}, retries=2).attempts(cause, is_reported=True) == 3
    assert Patient({cause: Policy.FAIL}, retries=2).attempts(cause, is_reported=True) == 1
    assert Patient({cause: Policy.REQUEUE}).attempts(cause, is_reported=True) == 20


@pytest.mark.parametrize("cause", LOST)
def test_a_loss_follows_its_policy(cause: Cause) -> None:
    allowed = 3 if cause is Cause.WORKER_LOST else 2
    retried = Patient({cause: Policy.RETRY}, retries=1, max_lost=3)
    assert retried.attempts(cause) == allowed
    assert retried.outcome.cause is cause
    failed = Patient({cause: Policy.FAIL}, retries=5)
    assert failed.attempts(cause) == 1
    assert f"failures.{cause}" in failed.outcome.error
    requeued = Patient({cause: Policy.REQUEUE})
    assert requeued.attempts(cause) == 20  # what is preempted for ever does not run for ever
    assert requeued.outcome.cause is cause
    assert "20 times" in requeued.outcome.error


def test_by_default_the_scheduler_costs_a_trial_nothing_and_losses_without_reason_count() -> None:
    for cause in (Cause.WALLTIME, Cause.PREEMPTED, Cause.NODE_FAILURE, Cause.CANCELLED):
        patient = Patient({})
        assert patient.attempts(cause, most=5) == 5
        assert patient.attempts(Cause.WORKER_LOST) == 8
    assert Patient({}).attempts(Cause.OUT_OF_MEMORY) == 1


def test_drivers_that_die_never_end_a_trial() -> None:
    patient = Patient({})
    assert patient.attempts(Cause.DRIVER_LOST, most=50) == 50
    assert patient.attempts(Cause.FENCED, most=100) == 100


def test_a_result_that_comes_after_the_loss_still_counts_while_the_trial_is_open() -> None:
    patient = Patient({})
    patient.attempts(Cause.PREEMPTED, most=1)
    done = Outcome(Status.COMPLETED, values={"y": 1.0}, started_at=1.0, duration_s=9.0)
    (ended,) = patient.machine.on(TaskEnded(0, 0, done, "t"), 20.0)
    assert isinstance(ended, Ended)
    assert ended.outcome.status is Status.COMPLETED


def test_core_hours_of_a_lost_attempt_are_those_that_it_ran() -> None:
    patient = Patient({})
    patient.attempts(Cause.PREEMPTED, most=2)
    assert patient.machine.core_hours == pytest.approx(20.0 / 3600)
    assert patient.machine.n_lost == 2


def test_records_say_what_was_charged() -> None:
    machine = Patient({Cause.TIMEOUT: Policy.REQUEUE}).machine
    machine.apply(Submitted(0, 0, "a", 0.0, token="t"))
    (lost,) = machine.on(TaskLost(0, 0, "", Cause.WORKER_LOST), 3.0)
    assert lost == Lost(0, 0, Cause.WORKER_LOST, counts=True, at=3.0, ran_s=3.0)
    timeout = Outcome(Status.FAILED, Cause.TIMEOUT, "too long", started_at=1.0, duration_s=3.0)
    (retried,) = machine.on(TaskEnded(0, 0, timeout, "t"), 3.0)
    assert isinstance(retried, Retried)
    assert not retried.counts
