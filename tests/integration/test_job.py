"""The program of a batch job, as a plain process: it works, outlives its driver, and ends when it is told."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from job_bed import PATIENCE_S, Bed, until

from asktell.cluster import last_words
from asktell.foster import Foster
from asktell.trial import Status

pytestmark = pytest.mark.slow


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    bed = Bed(tmp_path)
    yield bed
    bed.close()


def test_a_job_works_for_its_driver_says_what_it_is_and_goes_when_it_is_released(bed: Bed) -> None:
    driver = bed.driver()
    job = bed.job("--workers", "2", ASKTELL_ENDS_AT="2000000000")
    workers = driver.ask("wait 2")
    assert sorted(worker["name"] for worker in workers) == ["j-0", "j-1"]
    assert {(worker["job"], worker["ends_at"]) for worker in workers} == {("77", 2e9)}
    driver.ask("submit 0")
    bed.let_go()
    assert driver.ask("result 0")["outcome"]["values"] == {"f": 0.75}
    driver.ask("release")
    assert job.wait(PATIENCE_S) == 0
    assert last_words.read(bed.directory, "77") is None


def test_a_worker_finishes_and_journals_its_trial_after_the_driver_was_killed(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job()
    driver.ask("wait 1")
    driver.ask("submit 0")
    until(lambda: bed.began(0))
    driver.kill()
    assert Foster(bed.directory.alive).living() == {(0, 0, "token-1")}
    assert job.poll() is None
    bed.let_go()
    assert job.wait(PATIENCE_S) == 0
    assert bed.journaled() == [(0, Status.COMPLETED, "token-1")]
    assert Foster(bed.directory.alive).living() == frozenset()


def test_a_worker_takes_nothing_new_from_a_driver_that_is_gone(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job()
    driver.ask("wait 1")
    for number in range(3):
        driver.ask(f"submit {number}")
    until(lambda: any(bed.began(number) for number in range(3)))
    driver.kill()
    bed.let_go()
    assert job.wait(PATIENCE_S) == 0
    assert len(bed.evaluations()) == 1


def test_after_a_hand_over_the_same_job_finishes_its_trial_and_joins_the_successor(bed: Bed) -> None:
    first, job = bed.driver(), bed.job()
    first.ask("wait 1")
    first.ask("submit 0")
    until(lambda: bed.began(0))
    first.ask("hand-over")
    second = bed.driver()
    bed.let_go()
    assert [worker["job"] for worker in second.ask("wait 1")] == ["77"]
    assert bed.journaled() == [(0, Status.COMPLETED, "token-1")]
    second.ask("submit 1")
    assert second.ask("result 1")["outcome"]["values"] == {"f": 0.75}
    assert job.poll() is None


def test_a_job_that_was_queued_before_its_driver_died_joins_the_next_one(bed: Bed) -> None:
    bed.driver().kill()
    bed.job()
    assert [worker["job"] for worker in bed.driver().ask("wait 1")] == ["77"]


def test_a_worker_of_a_frozen_driver_finishes_its_trial_and_joins_the_next_one(bed: Bed) -> None:
    frozen, _ = bed.driver(), bed.job()
    frozen.ask("wait 1")
    frozen.ask("submit 0")
    until(lambda: bed.began(0))
    frozen.process.send_signal(signal.SIGSTOP)
    driver = bed.driver()
    bed.let_go()
    assert [worker["job"] for worker in driver.ask("wait 1")] == ["77"]
    assert bed.journaled() == [(0, Status.COMPLETED, "token-1")]


def test_sigterm_leaves_last_words_and_no_process(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job(ASKTELL_ENDS_AT="2000000000")
    driver.ask("wait 1")
    driver.ask("submit 0")
    until(lambda: bed.began(0))
    tree = psutil.Process(job.pid).children(recursive=True)
    assert len(tree) >= 4  # the worker, a launcher, a supervisor, the evaluation
    job.send_signal(signal.SIGTERM)
    assert job.wait(PATIENCE_S) == 128 + signal.SIGTERM
    gone, alive = psutil.wait_procs(tree, timeout=10)
    assert not alive, f"left behind: {alive}; {len(gone)} have ended"
    words = last_words.read(bed.directory, "77")
    assert words is not None
    assert (words.signal, words.ends_at) == ("SIGTERM", 2e9)
    assert bed.journaled() == []
    assert Foster(bed.directory.alive).living() == frozenset()


def test_a_warning_reaches_the_evaluation_and_the_job_goes_on(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job()
    driver.ask("wait 1")
    driver.ask("submit 0")
    until(lambda: bed.began(0))
    job.send_signal(signal.SIGUSR1)
    until(lambda: (bed.directory.attempt(0, 0) / "warned").exists())
    bed.let_go()
    assert driver.ask("result 0")["outcome"]["status"] == "completed"


def test_a_warning_comes_by_itself_before_the_end_of_the_job(bed: Bed) -> None:
    driver = bed.driver()
    bed.job(ASKTELL_ENDS_AT=str(time.time() + 70))  # it comes a minute before
    driver.ask("wait 1")
    driver.ask("submit 0")
    until(lambda: (bed.directory.attempt(0, 0) / "warned").exists())


def test_a_worker_that_somebody_kills_is_started_again(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job()
    driver.ask("wait 1")
    (worker,) = psutil.Process(job.pid).children()
    worker.kill()
    until(lambda: "starting it again" in bed.log.read_text())
    until(lambda: driver.ask("wait 1"))
    bed.let_go()
    driver.ask("submit 0")
    assert driver.ask("result 0")["outcome"]["status"] == "completed"


def test_workers_end_with_their_jobs_first_process(bed: Bed) -> None:
    driver, job = bed.driver(), bed.job()
    driver.ask("wait 1")
    tree = psutil.Process(job.pid).children(recursive=True)
    job.kill()
    assert not psutil.wait_procs(tree, timeout=PATIENCE_S)[1]


def test_a_job_that_finds_no_driver_says_so_and_fails(bed: Bed) -> None:
    bed.driver().kill()
    job = bed.job("--death-timeout", "1")
    assert job.wait(PATIENCE_S) == 1
    assert "found no driver" in bed.log.read_text()
    assert "cluster.interface" in bed.log.read_text()
