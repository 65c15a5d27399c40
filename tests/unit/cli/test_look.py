"""`status`, `watch`, `best`, `show`, `logs` of a stopped study."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from asktell.execute.protocol import Task
from asktell.execute.virtual import VirtualExecutor
from asktell.run import Study
from asktell.trial import Cause, Outcome, Status

Cli = Callable[..., Result]


def test_status_counts_and_names_what_failed(cli: Cli, toy: Path) -> None:
    found = json.loads(cli("status", toy, "--json").output)
    assert (found["state"], found["completed"], found["failed"], found["total"]) == ("stopped", 3, 1, 10)
    assert found["driver"] is None
    assert found["incumbent"]["number"] == 1
    shown = cli("status", toy).output
    assert "it exploded" in shown
    assert "asktell resume toy.study" in shown


def test_status_of_a_study_that_never_ran(cli: Cli) -> None:
    Study.create("study.yaml", "fresh")
    found = json.loads(cli("status", "fresh", "--json").output)
    assert (found["state"], found["done"], found["incumbent"]) == ("new", 0, None)
    assert cli("watch", "fresh").exit_code == 0


def test_watch_of_a_stopped_study_ends_at_once(cli: Cli, toy: Path) -> None:
    done = cli("watch", toy)
    assert done.exit_code == 0
    assert "stopped" in done.output


def test_best_is_the_best_within_its_bounds(cli: Cli, toy: Path) -> None:
    found = json.loads(cli("best", toy, "--json").output)
    assert found["number"] == 1
    assert found["values"] == {"loss": 1.0, "mass": 2.0}
    assert "loss = 1" in cli("best", toy).output


def test_best_of_nothing(cli: Cli) -> None:
    Study.create("study.yaml", "fresh")
    assert json.loads(cli("best", "fresh", "--json").output) is None
    assert cli("best", "fresh").exit_code == 1


def test_best_of_two_objectives_is_a_front(cli: Cli) -> None:
    objectives = "objectives={loss: minimize, gain: maximize}"
    with Study.create("study.yaml", "two", overrides=[objectives, "constraints=[]"]) as study:
        study.ask(4)
        for number, (loss, gain) in enumerate([(1, 1), (2, 3), (2, 2), (5, 4)]):
            study.tell(number, {"loss": loss, "gain": gain})
    assert [item["number"] for item in json.loads(cli("best", "two", "--json").output)] == [0, 1, 3]
    assert "gain" in cli("best", "two").output


def test_show_tells_where_a_point_came_from(cli: Cli, toy: Path) -> None:
    found = json.loads(cli("show", toy, 2, "--json").output)
    assert found["status"] == "failed"
    assert found["trial"]["engine"] == "random"
    assert found["outcome"]["error"] == "it exploded"
    assert "it exploded" in cli("show", toy, 2).output


@pytest.mark.parametrize("command", ["show", "logs", "rerun"])
def test_a_trial_that_does_not_exist(cli: Cli, toy: Path, command: str) -> None:
    done = cli(command, toy, 99)
    assert done.exit_code == 2
    assert "it has trials 0 to 3" in done.stderr


def test_logs_prints_what_an_attempt_wrote(cli: Cli, toy: Path) -> None:
    folder = toy / "trials" / "000001" / "0"
    folder.mkdir(parents=True)
    (folder / "stdout").write_bytes(b"converged \xff\n")
    assert "converged" in cli("logs", toy, 1).output
    assert cli("logs", toy, 1, "--attempt", 7).exit_code == 2


def test_show_names_what_ran_when_a_point_was_asked_for(cli: Cli, toy: Path) -> None:
    assert "pending then: trial 0\n" in cli("show", toy, 1).output
    assert "pending then: trials 0, 1, 2\n" in cli("show", toy, 3).output


@pytest.mark.parametrize("number", ["abc", "1.5"])
def test_what_is_no_trial_number(cli: Cli, toy: Path, number: str) -> None:
    done = cli("show", toy, number)
    assert done.exit_code == 2
    assert f"{number!r} is no trial number" in done.stderr


def test_status_names_what_takes_requests_in(cli: Cli, toy: Path) -> None:
    cli("enqueue", toy, "x=0.5", "n=2", "mode=1")
    assert "1 point; waits for `asktell resume toy.study`" in cli("status", toy).output


def test_stop_without_a_driver_says_so(cli: Cli, toy: Path) -> None:
    done = cli("stop", toy)
    assert done.exit_code == 0
    assert "no driver runs" in done.output
    assert not list((toy / "journal").glob("user-*"))


def test_stop_waits_only_so_long(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asktell.cli.drive._MOST_WAIT_S", 0.0)
    with Study.create("study.yaml", "busy") as study:
        study.ask()
        done = cli("stop", "busy", "--wait")
    assert done.exit_code == 1
    assert "asked process" in done.output
    assert "asktell status busy" in done.stderr


def test_a_scheduler_that_does_not_answer_can_be_replaced(
    cli: Cli, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asktell.cluster.local.CONNECT_TIMEOUT_S", 0.5)
    done = cli("resume", toy, "--cluster", "tcp://127.0.0.1:9")
    assert done.exit_code == 1
    assert "`asktell resume toy.study --set cluster.address=" in done.stderr


def test_what_batch_jobs_ran_and_lost_is_shown(cli: Cli) -> None:
    batch = "cluster={kind: slurm, jobs: 1, walltime: 10h}"
    study = Study.create("study.yaml", "batch", overrides=[batch, "constraints=[x < n]"])
    seen: list[str] = []

    def evaluate(task: Task) -> Outcome:
        if task.number == 9:
            seen.extend(cli("status", "batch", *flag).output for flag in ((), ("--json",)))
        return Outcome(Status.COMPLETED, values={"loss": 1.0, "mass": 1.0}, log_tail="")

    begun = time.time() - 195  # when the last trial begins on the virtual clock, it is now
    executor = VirtualExecutor(evaluate, lambda task: 20.0, slots=0, start_at=begun)
    executor.join("w1", begun, job="4711", ends_at=begun + 36000)
    executor.leave("w1", begun + 30, "its job was preempted", Cause.PREEMPTED)
    executor.join("w2", begun + 35, job="4712", ends_at=begun + 36000)
    assert study.run(executor=lambda _: executor).done

    found = json.loads(cli("show", "batch", 1, "--json").output)
    told = [(item["job"], item["end"], item["cause"], item["detail"]) for item in found["attempts"]]
    assert told == [("4711", "lost", "preempted", "its job was preempted"), ("4712", "completed", "", "")]
    shown = cli("show", "batch", 1).output
    assert "4711" in shown
    assert "preempted" in shown

    text, data = seen[0], json.loads(seen[1])
    assert "preempted 1" in text
    assert "4712" in text
    assert "about " in text or "overdue" in text  # as long as this took
    assert data["losses"] == {"preempted": 1}
    (running,) = data["attempts_running"]
    assert running["job"] == "4712"
    assert running["age_s"] + running["remaining_s"] == pytest.approx(20, rel=0.1)
