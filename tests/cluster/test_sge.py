"""Grid Engine, where its testbed is up."""

from __future__ import annotations

from batch_studies import BatchStudy


def test_quickstart_study_runs(sge_study: BatchStudy) -> None:
    study = sge_study
    assert study.run_quickstart().wait(240) == 0, study.account()
    ds = study.results()
    assert ds.sizes["trial"] == 40
    assert "" not in set(ds.job.values)
    study.until(study.is_gone)
