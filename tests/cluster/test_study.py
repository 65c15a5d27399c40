"""Studies on SLURM, and what follows when a person takes something away from them."""

from __future__ import annotations

import json

from batch_studies import BatchStudy, run


def test_cancelled_job_costs_its_trial_nothing(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=60, jobs=4)
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 4)
    first = {item.job: item for item in study.evaluations()}
    assert len(first) == 4

    hit = study.evaluations()[0]
    run("scancel", hit.job)
    # held up, the others go on: a fourth job is another one, and the trial runs in it
    study.until(lambda: any(item.trial == hit.trial and item.attempt > 0 for item in study.evaluations()))
    assert len(study.jobs().keys() - first.keys()) == 1
    study.release()
    assert driver.wait(240) == 0, study.account()

    ds = study.results()
    assert ds.sizes["trial"] == 60
    assert not ds.f.isnull().any()
    lost, ended = study.attempts(hit.trial)
    assert (lost["cause"], lost["job"]) == ("cancelled", hit.job)
    assert ended["end"] == "completed"
    assert ended["job"] != hit.job
    again = [item for item in study.evaluations() if item.trial == hit.trial]
    assert [item.job for item in again] == [hit.job, ended["job"]]
    assert len(study.evaluations()) == 61
    assert sorted(item.trial for item in study.evaluations("end")) == list(range(60))
    assert str(ds.job.sel(trial=hit.trial).values) == ended["job"]
    study.until(study.is_gone)


def test_workers_finish_what_a_killed_driver_had_begun(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=9, jobs=3)
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 3)
    driver.kill()
    driver.wait()
    study.release()
    # what runs is finished without a driver, and then nothing is left that waits
    study.until(lambda: len(study.evaluations("end")) == 3)
    study.until(study.is_gone)

    assert study.resume().wait(120) == 0, study.account()
    assert study.results().sizes["trial"] == 9
    assert sorted(item.trial for item in study.evaluations()) == list(range(9))


def test_next_driver_waits_for_what_still_runs(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=6, jobs=2)
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 2)
    running = {item.trial for item in study.evaluations()}
    driver.kill()
    driver.wait()

    # the jobs that run are taken over and keep their trials; the further one begins with another
    follower = study.resume("--set", "cluster.jobs=3")
    study.until(lambda: len(study.evaluations()) == 3)
    assert study.evaluations()[2].trial not in running
    assert len(study.jobs()) == 3
    study.release()
    assert follower.wait(120) == 0, study.account()
    assert sorted(item.trial for item in study.evaluations()) == list(range(6))
    assert study.results().sizes["trial"] == 6


def test_stop_takes_the_jobs_along(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=6, jobs=2)
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 2)
    study.tell("stop", str(study.directory), "--wait")
    assert driver.wait(60) == 3, study.account()
    study.until(study.is_gone)
    assert json.loads(study.tell("status", str(study.directory), "--json"))["state"] == "stopped"
