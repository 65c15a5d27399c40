"""What the batch system does to a study: each case as docs/cluster.md tells it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from batch_studies import BatchStudy, run, run_testbed


@pytest.fixture
def crash_victim(slurm_study: BatchStudy) -> Iterator[None]:
    """The node `victim` may be killed; it is back afterwards."""
    yield
    run_testbed("slurm-up.sh")


@pytest.mark.usefixtures("crash_victim")
def test_crashed_node_is_told_and_costs_nothing(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=3, queue="high")
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 1)
    run_testbed("slurm-node-kill.sh", "victim")
    study.release()
    study.until(lambda: "down" in run("sinfo", "-h", "-n", "victim", "-p", "high", "-o", "%T"))
    run_testbed("slurm-up.sh")
    assert driver.wait(150) == 0, study.account()

    lost, ended = study.attempts(study.evaluations()[0].trial)
    assert (lost["cause"], ended["end"]) == ("node_failure", "completed")
    assert study.results().sizes["trial"] == 3


def test_preempted_job_is_told_and_costs_nothing(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=3, queue="low")
    study.hold()
    driver = study.run()
    study.until(lambda: len(study.evaluations()) == 1)
    # two cores are the whole node
    rival = run("sbatch", "--parsable", "-p", "high", "-c", "2", "-o", os.devnull, "--wrap", "sleep 600")
    try:
        study.until(lambda: run("squeue", "-h", "-j", rival.strip(), "-o", "%T").strip() == "RUNNING")
    finally:
        run("scancel", rival.strip())
    study.release()
    assert driver.wait(200) == 0, study.account()

    lost, ended = study.attempts(study.evaluations()[0].trial)
    assert (lost["cause"], ended["end"]) == ("preempted", "completed")
    assert study.results().sizes["trial"] == 3


def test_job_that_never_starts_is_waited_for(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=3, queue="closed")
    driver = study.run()
    study.until(lambda: "PartitionDown" in study.output)
    assert driver.poll() is None
    study.tell("stop", str(study.directory), "--wait")
    assert driver.wait(30) == 3, study.account()
    study.until(study.is_gone)
    assert study.evaluations() == []


def test_refusals_are_told_in_the_schedulers_words_and_cost_nothing(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=2, queue="staff", account="guest")
    assert study.run().wait(60) == 1, study.account()
    assert "Invalid account" in " ".join(study.output.split())
    assert study.resume("--set", "cluster.queue=nowhere").wait(60) == 1, study.account()
    assert "Invalid partition name" in " ".join(study.output.split())
    assert study.resume("--set", "cluster.queue=main").wait(90) == 0, study.account()
    assert sorted(item.trial for item in study.evaluations()) == [0, 1]


def test_submission_that_fails_for_a_while_is_tried_again(slurm_study: BatchStudy) -> None:
    study = slurm_study
    study.write(trials=2)
    real, counter = shutil.which("sbatch"), study.folder / "failures"
    wrapper = study.folder / "bin" / "sbatch"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f"""\
#!/bin/sh
if [ "$(cat "{counter}" 2>/dev/null | wc -l)" -lt 2 ]; then
  echo failed >>"{counter}"
  echo "sbatch: error: Batch job submission failed: Unable to contact slurm controller" >&2
  exit 1
fi
exec "{real}" "$@"
"""
    )
    wrapper.chmod(0o755)
    study.environ = {**study.environ, "PATH": f"{wrapper.parent}{os.pathsep}{study.environ['PATH']}"}
    assert study.run().wait(120) == 0, study.account()
    assert counter.read_text().count("failed") == 2
    assert "Unable to contact slurm controller" in " ".join(study.output.split())
    assert study.results().sizes["trial"] == 2
