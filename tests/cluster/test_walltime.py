"""The one test that waits for a real walltime; the others send the signals themselves."""

from __future__ import annotations

import pytest
from batch_studies import BatchStudy


@pytest.mark.slow
def test_evaluation_goes_on_in_the_next_job(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(
        trials=1,
        function="evaluate_in_parts",
        evaluate={"checkpoint_signal": "SIGUSR1"},
        walltime="1min",
        warn_before="15s",
    )
    assert study.run().wait(240) == 0, study.account()
    assert {(item.trial, item.attempt) for item in study.evaluations("saved")} == {(0, 0)}
    lost, ended = study.attempts(0)
    assert (lost["cause"], ended["end"]) == ("walltime", "completed")
    assert lost["job"] != ended["job"]
