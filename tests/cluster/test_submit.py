"""The driver as a batch job of its own, through the command line."""

from __future__ import annotations

import json
from collections import Counter

from batch_studies import BatchStudy, run

DRIVER = {"memory": "700MB", "walltime": "10min", "warn_before": "30s"}


def submit(study: BatchStudy) -> str:
    """Submit the study; returns the driver's job."""
    told = study.tell("submit", str(study.file), "--dir", str(study.directory))
    return told.splitlines()[0].split()[-1]


def links(study: BatchStudy) -> list[str]:
    """The driver's jobs so far."""
    chain = json.loads((study.directory / "jobs" / "driver.json").read_text())
    return [link["job"] for link in chain["links"]]


def log(study: BatchStudy, job: str) -> str:
    path = study.directory / "logs" / f"driver-job-{job}.log"
    return path.read_text() if path.exists() else ""


def state(study: BatchStudy) -> str:
    told = json.loads(study.tell("status", str(study.directory), "--json"))
    return str(told["state"])


def test_a_submitted_study_runs_to_its_end(slurm_study: BatchStudy) -> None:
    slurm_study.write(trials=6, jobs=2, driver=DRIVER)
    job = submit(slurm_study)
    slurm_study.until(slurm_study.is_gone)
    assert state(slurm_study) == "done", log(slurm_study, job)
    assert slurm_study.results().f.notnull().sum() == 6
    assert links(slurm_study) == [job]


def test_a_driver_hands_over_to_its_successor_and_no_trial_runs_twice(slurm_study: BatchStudy) -> None:
    slurm_study.write(trials=6, jobs=2, driver=DRIVER)
    slurm_study.hold()
    first = submit(slurm_study)
    slurm_study.until(lambda: len(slurm_study.evaluations()) == 2)
    run("scancel", "--signal=USR1", "--batch", first)
    slurm_study.until(lambda: "handed over" in log(slurm_study, first))
    slurm_study.release()
    slurm_study.until(slurm_study.is_gone)
    second = links(slurm_study)[-1]
    assert links(slurm_study) == [first, second]
    assert state(slurm_study) == "done", log(slurm_study, second)
    assert set(Counter(item.trial for item in slurm_study.evaluations()).values()) == {1}


def test_a_cancelled_driver_takes_its_jobs_along_and_can_be_resumed(slurm_study: BatchStudy) -> None:
    slurm_study.write(trials=6, jobs=2, driver=DRIVER)
    slurm_study.hold()
    job = submit(slurm_study)
    slurm_study.until(lambda: len(slurm_study.evaluations()) == 2)
    slurm_study.cancel(job)
    slurm_study.until(slurm_study.is_gone)
    assert state(slurm_study) == "stopped", log(slurm_study, job)
    slurm_study.release()
    assert slurm_study.resume().wait() == 0, slurm_study.output
    assert slurm_study.results().f.notnull().sum() == 6


def test_a_driver_that_waits_can_be_stopped_and_is_not_doubled(slurm_study: BatchStudy) -> None:
    slurm_study.write(trials=6, jobs=2, driver={**DRIVER, "queue": "closed"})
    job = submit(slurm_study)
    again = slurm_study.start("submit", str(slurm_study.directory))
    assert again.wait() == 2
    assert job in slurm_study.output
    assert job in slurm_study.tell("stop", str(slurm_study.directory))
    slurm_study.until(slurm_study.is_gone)


def test_driver_and_workers_share_one_allocation(slurm_study: BatchStudy) -> None:
    slurm_study.write(trials=6, jobs=2, single_allocation=True, driver=DRIVER)
    slurm_study.hold()
    job = submit(slurm_study)
    slurm_study.until(lambda: len(slurm_study.evaluations()) == 2)
    assert list(slurm_study.jobs()) == [job]
    slurm_study.release()
    slurm_study.until(slurm_study.is_gone)
    assert state(slurm_study) == "done", log(slurm_study, job)


def test_a_chain_of_drivers_on_pbs(pbs_study: BatchStudy) -> None:
    pbs_study.write(trials=4, jobs=1, driver=DRIVER)
    pbs_study.hold()
    first = submit(pbs_study)
    pbs_study.until(lambda: len(pbs_study.evaluations()) == 1)
    run("scancel", "--signal=USR1", "--batch", first)
    pbs_study.until(lambda: "handed over" in log(pbs_study, first))
    pbs_study.release()
    pbs_study.until(pbs_study.is_gone)
    assert state(pbs_study) == "done", log(pbs_study, links(pbs_study)[-1])
    assert sorted(item.trial for item in pbs_study.evaluations()) == [0, 1, 2, 3]
