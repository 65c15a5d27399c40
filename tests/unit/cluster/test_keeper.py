"""What the keeper decides, one story each."""

from collections.abc import Sequence

import pytest

from asktell.cluster.keeper import HOLLOW_S, Keeper, Limits, Look, Order, Submit
from asktell.cluster.queues import End, JobState, Phase, SubmitRefused
from asktell.execute.protocol import SlotJoined

AT = 1_000_000.0


def keeper(jobs: int = 1, **limits: float) -> Keeper:
    found = Keeper(Limits(jobs=jobs, submit_every_s=0.0, **limits))  # type: ignore[arg-type]
    found.want(jobs * int(limits.get("workers_per_job", 1)))
    return found


def with_jobs(*ids: str, at: float = AT) -> Keeper:
    found = keeper(len(ids))
    for job in ids:
        assert Submit() in found.plan(at)
        found.submitted(job, at)
    return found


def slot(job: str, ends_at: float | None = None, name: str = "") -> SlotJoined:
    return SlotJoined(name or f"tls://{job}", job=job, ends_at=ends_at)


def answer(found: Keeper, *states: JobState, at: float) -> None:
    """Let the next look that the keeper orders be answered."""
    look = next(order for order in found.plan(at) if isinstance(order, Look))
    found.answered(look.ids, {state.id: state for state in states}, at)


def n_submits(orders: Sequence[Order]) -> int:
    return sum(isinstance(order, Submit) for order in orders)


def test_it_holds_as_many_jobs_as_the_wanted_workers_need() -> None:
    found = keeper(4, workers_per_job=2)
    found.want(5)
    for number in range(3):
        assert n_submits(found.plan(AT)) == 1
        found.submitted(str(number), AT)
    assert n_submits(found.plan(AT)) == 0


def test_a_job_that_was_cancelled_is_replaced_once_the_queue_says_so() -> None:
    found = with_jobs("1")
    found.seen([slot("1")], AT + 1)
    found.seen([], AT + 2)
    answer(found, JobState("1", Phase.ENDED, end=End.CANCELLED), at=AT + 30)
    assert n_submits(found.plan(AT + 30)) == 1


def test_a_worker_that_comes_back_at_once_costs_no_job() -> None:
    found = with_jobs("1")
    found.seen([slot("1")], AT + 1)
    found.seen([], AT + 2)
    found.plan(AT + 3)
    found.seen([slot("1", name="tls://again")], AT + 4)
    assert n_submits(found.plan(AT + 100)) == 0


def test_a_loss_pulls_the_next_look_forward_but_not_nearer_than_five_seconds() -> None:
    found = with_jobs("1", "2")
    assert found.plan(AT) == [Look(("1", "2"))] or found.plan(AT) == []
    found.seen([slot("1"), slot("2")], AT + 1)
    found.seen([slot("2")], AT + 2)
    assert found.plan(AT + 4) == []
    assert found.plan(AT + 6) == [Look(("1",))]
    assert found.plan(AT + 30) == []
    assert found.plan(AT + 36) == [Look(("1",))]


def test_a_job_that_the_scheduler_queues_again_is_waited_for() -> None:
    found = with_jobs("1")
    found.seen([slot("1", ends_at=AT + 60)], AT + 1)
    found.seen([], AT + 2)
    answer(found, JobState("1", Phase.QUEUED, "BeginTime"), at=AT + 30)
    assert n_submits(found.plan(AT + 200)) == 0
    assert found.note(AT + 200) == "1 pending: BeginTime"


def test_a_successor_is_submitted_as_long_before_the_end_as_jobs_take_to_come_up() -> None:
    found = with_jobs("1")
    found.seen([slot("1", ends_at=AT + 3600)], AT + 100)  # it waited 100 s
    assert n_submits(found.plan(AT + 3490)) == 0
    assert n_submits(found.plan(AT + 3501)) == 1
    found.submitted("2", AT + 3501)
    assert n_submits(found.plan(AT + 3510)) == 0


def test_a_queue_that_takes_longer_than_a_walltime_gets_one_successor_for_each_job() -> None:
    found = with_jobs("1")
    found.seen([slot("1", ends_at=AT + 90_600)], AT + 90_000)
    assert n_submits(found.plan(AT + 90_299)) == 0
    assert n_submits(found.plan(AT + 90_301)) == 1
    found.submitted("2", AT + 90_301)
    assert n_submits(found.plan(AT + 90_400)) == 0


def test_a_released_worker_s_job_is_replaced_only_while_workers_are_wanted() -> None:
    found = with_jobs("1", "2")
    found.seen([slot("1"), slot("2")], AT + 1)
    found.want(1)
    found.release("tls://1")
    assert n_submits(found.plan(AT + 2)) == 0
    found.want(2)
    assert n_submits(found.plan(AT + 3)) == 1


def test_one_answer_that_leaves_a_queued_job_out_is_not_believed() -> None:
    found = with_jobs("1")
    for at in (AT, AT + 30, AT + 60, AT + 90):
        answer(found, at=at)
        assert n_submits(found.plan(at + 1)) == 0
    assert n_submits(found.plan(AT + 119)) == 0
    found.plan(AT + 121)
    assert n_submits(found.plan(AT + 126)) == 1


def test_refused_submissions_are_tried_again_later_and_later_and_say_why() -> None:
    found = keeper()
    at = AT
    for wait in (5, 10, 20, 40):
        assert n_submits(found.plan(at)) == 1
        found.refused(SubmitRefused("Unable to contact slurm controller"), at)
        assert f"submitting failed: Unable to contact slurm controller; next try in {wait} s" in found.note(
            at
        )
        assert n_submits(found.plan(at + wait - 1)) == 0
        at += wait
    assert found.failure() == ""
    assert n_submits(found.plan(at)) == 1
    found.submitted("1", at)
    assert found.note(at) == "1 pending"


def test_a_refusal_for_good_is_a_failure_only_while_no_job_is_left() -> None:
    found = with_jobs("1", "2")
    found.seen([slot("1")], AT + 1)
    answer(found, JobState("2", Phase.ENDED, end=End.CANCELLED), at=AT + 30)
    assert n_submits(found.plan(AT + 31)) == 1
    found.refused(SubmitRefused("Invalid account", is_permanent=True), AT + 31)
    assert found.failure() == ""
    found.seen([], AT + 40)
    answer(found, JobState("1", Phase.ENDED, end=End.CANCELLED), at=AT + 61)
    assert "Invalid account" in found.failure()


def test_jobs_that_end_before_a_worker_joins_stop_the_study_at_the_third() -> None:
    found = keeper()
    at = AT
    for number in range(3):
        assert found.failure() == ""
        while not n_submits(found.plan(at)):
            at += 1
        found.submitted(str(number), at)
        at += 31
        answer(found, JobState(str(number), Phase.ENDED, end=End.FAILED), at=at)
    assert "0, 1, 2" in found.failure()
    assert n_submits(found.plan(at + 1000)) == 0


def test_queued_jobs_that_a_person_cancels_are_no_sign_of_a_broken_installation() -> None:
    found = keeper()
    at = AT
    for number in range(5):
        assert n_submits(found.plan(at)) == 1
        found.submitted(str(number), at)
        at += 31
        answer(found, JobState(str(number), Phase.ENDED, end=End.CANCELLED), at=at)
    assert found.failure() == ""


def test_a_job_that_runs_without_a_worker_is_replaced_and_said(caplog: pytest.LogCaptureFixture) -> None:
    found = with_jobs("1")
    answer(found, JobState("1", Phase.RUNNING), at=AT + 30)
    assert found.note(AT + 31) == "1 starting"
    assert n_submits(found.plan(AT + HOLLOW_S)) == 0
    assert n_submits(found.plan(AT + 40 + HOLLOW_S)) == 0  # after a while: the next one may do no better
    assert n_submits(found.plan(AT + 50 + HOLLOW_S)) == 1
    assert "job 1 has run for 10 min without a worker" in caplog.text


def test_what_an_earlier_driver_left_counts_and_the_end_of_it_blames_nobody() -> None:
    found = keeper(4)
    for job in ("1", "2", "3"):
        found.adopt(JobState(job, Phase.RUNNING), AT)
    found.adopt(JobState("4", Phase.QUEUED, "Priority"), AT)
    assert n_submits(found.plan(AT)) == 0
    assert found.note(AT) == "3 finishing for an earlier driver, 1 pending: Priority"
    ended = [JobState(job, Phase.ENDED, end=End.COMPLETED) for job in ("1", "2", "3")]
    found.answered(("1", "2", "3"), {state.id: state for state in ended}, AT + 30)
    assert found.failure() == ""
    assert n_submits(found.plan(AT + 31)) == 1


def test_a_job_s_worker_may_be_seen_before_its_submission_returns() -> None:
    found = keeper()
    found.plan(AT)
    found.seen([slot("1")], AT + 0.4)
    found.submitted("1", AT + 0.5)
    assert n_submits(found.plan(AT + 1)) == 0
    assert found.note(AT + 1) == "1 running"


def test_a_note_names_what_runs_and_why_the_rest_waits() -> None:
    found = with_jobs(*"abcd")
    found.seen([slot("a")], AT + 1)
    waiting = [JobState("b", Phase.QUEUED, "Priority"), JobState("c", Phase.QUEUED, "Priority")]
    answer(found, *waiting, JobState("d", Phase.QUEUED, "Resources"), at=AT + 30)
    assert found.note(AT + 31) == "1 running, 3 pending: Priority"
