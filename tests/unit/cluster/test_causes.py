"""Why a worker went, from what is known of its job."""

from dataclasses import replace

import pytest

from asktell.cluster.causes import PATIENCE_S, Evidence, explain
from asktell.cluster.last_words import LastWords
from asktell.cluster.queues import End, JobState, Phase
from asktell.trial import Cause

AT = 1_000_000.0
LOST = Evidence(job="7", lost_at=AT, ends_at=AT + 3600)
TERMINATED = LastWords("SIGTERM", AT, AT + 3600)


def ended(end: End, reason: str = "") -> JobState:
    return JobState("7", Phase.ENDED, reason, end=end)


def cause(evidence: Evidence, at: float = AT + 1) -> Cause | None:
    found = explain(evidence, at)
    return found.cause if found is not None else None


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (End.TIMEOUT, Cause.WALLTIME),
        (End.PREEMPTED, Cause.PREEMPTED),
        (End.NODE_FAIL, Cause.NODE_FAILURE),
        (End.OUT_OF_MEMORY, Cause.OUT_OF_MEMORY),
        (End.CANCELLED, Cause.CANCELLED),
        (End.FAILED, Cause.WORKER_LOST),
        (End.COMPLETED, Cause.WORKER_LOST),
    ],
)
def test_what_the_batch_system_says_counts_at_once(end: End, expected: Cause) -> None:
    assert cause(replace(LOST, state=ended(end, "its words"))) is expected
    found = explain(replace(LOST, state=ended(end, "its words")), AT + 1)
    assert found is not None
    assert found.detail == "job 7: its words"


def test_a_failure_at_the_end_of_the_walltime_is_its_end() -> None:
    assert cause(replace(LOST, lost_at=AT + 3598, state=ended(End.FAILED))) is Cause.WALLTIME


def test_a_batch_system_that_knows_nothing_is_filled_in_by_the_job_s_last_words() -> None:
    known = replace(LOST, state=ended(End.UNKNOWN))
    assert cause(known) is None
    assert cause(replace(known, words=TERMINATED)) is Cause.CANCELLED
    assert cause(replace(known, ends_at=None, words=replace(TERMINATED, ends_at=AT + 2))) is Cause.WALLTIME


def test_a_job_in_the_queue_again_was_preempted() -> None:
    found = explain(replace(LOST, state=JobState("7", Phase.QUEUED, "BeginTime")), AT + 1)
    assert found is not None
    assert found.cause is Cause.PREEMPTED
    assert "BeginTime" in found.detail


def test_the_kernel_s_words_in_the_log_tell_a_lack_of_memory() -> None:
    log = "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.batch"
    assert (
        cause(replace(LOST, state=ended(End.FAILED, "exit status 137"), log_tail=log)) is Cause.OUT_OF_MEMORY
    )


def test_a_dead_node_s_job_runs_on_in_the_queue_for_a_while_and_is_waited_for() -> None:
    running = replace(LOST, state=JobState("7", Phase.RUNNING))
    assert cause(running, AT + 30) is None
    assert cause(replace(running, state=ended(End.NODE_FAIL)), AT + 31) is Cause.NODE_FAILURE
    assert cause(running, AT + PATIENCE_S) is Cause.WORKER_LOST


def test_with_other_workers_of_the_job_there_it_is_the_worker_alone() -> None:
    assert cause(replace(LOST, state=JobState("7", Phase.RUNNING), has_workers=True)) is Cause.WORKER_LOST


def test_a_worker_that_stays_lost_no_more_than_its_process() -> None:
    there = replace(LOST, is_there=True, has_workers=True)
    assert cause(there, AT + 5) is None
    assert cause(there, AT + 15) is Cause.WORKER_LOST


def test_after_a_minute_of_silence_nobody_knows_but_the_clock_may() -> None:
    assert cause(LOST, AT + PATIENCE_S - 1) is None
    assert cause(LOST, AT + PATIENCE_S) is Cause.WORKER_LOST
    assert cause(replace(LOST, lost_at=AT + 3600), AT + 3660) is Cause.WALLTIME
    assert cause(replace(LOST, words=TERMINATED), AT + PATIENCE_S) is Cause.CANCELLED


def test_memory_that_trials_shared_is_charged_to_none_of_them() -> None:
    known = replace(LOST, state=ended(End.OUT_OF_MEMORY))
    charged = {shared: explain(replace(known, is_shared=shared), AT + 1) for shared in (False, True)}
    assert [why and why.counts for why in charged.values()] == [True, False]
    assert [why and why.cause for why in charged.values()] == [Cause.OUT_OF_MEMORY] * 2


def test_last_words_are_believed_where_the_batch_system_stays_silent() -> None:
    told = replace(LOST, words=TERMINATED)
    assert cause(told, AT + 5) is None
    assert cause(told, AT + 25) is Cause.CANCELLED
    assert cause(LOST, AT + 25) is None
