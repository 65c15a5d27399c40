"""PBS commands: the front end over SLURM that Debian has."""

from __future__ import annotations

from batch_studies import BatchStudy


def test_quickstart_study_runs(pbs_study: BatchStudy) -> None:
    study = pbs_study
    assert study.run_quickstart().wait(240) == 0, study.account()
    ds = study.results()
    assert ds.sizes["trial"] == 40
    assert float(ds.branin.min()) < 0.5
    assert "" not in set(ds.job.values)
    study.until(study.is_gone)


def test_deleted_job_is_replaced(pbs_study: BatchStudy) -> None:
    study = pbs_study
    study.write(trials=3)
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 1)
    hit = study.evaluations()[0]
    study.command("qdel", hit.job)
    study.until(lambda: len(study.evaluations()) == 2)
    study.release()
    assert driver.wait(120) == 0, study.account()
    lost, ended = study.attempts(hit.trial)
    assert (lost["cause"], ended["end"]) == ("cancelled", "completed")
