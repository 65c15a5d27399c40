"""`check --cluster` on a real batch system, and MPI programs in a real job."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from batch_studies import BatchStudy


def checked(study: BatchStudy, code: int) -> tuple[dict[str, dict[str, Any]], str | None]:
    """The checks by name, and the folder that was kept."""
    driver = study.start("check", str(study.file), "--cluster", "--json")
    assert driver.wait(120) == code, study.account()
    start = study.output.index("{\n")  # notes come before it
    found = json.loads(study.output[start:])["cluster"]
    return {check["name"]: check for check in found["checks"]}, found["kept"]


def test_a_job_proves_that_a_study_can_run(slurm_study: BatchStudy) -> None:
    slurm_study.write()
    before = set(slurm_study.folder.iterdir())
    checks, kept = checked(slurm_study, 0)
    for name in (
        "submission",
        "start",
        "connection",
        "python",
        "packages",
        "objective",
        "study files",
        "scratch",
    ):
        assert checks[name]["mark"] == "ok", checks
    assert checks["job's end"]["mark"] == "ok"
    assert kept is None
    assert slurm_study.evaluations() == []
    slurm_study.until(slurm_study.is_gone)
    assert {path for path in slurm_study.folder.iterdir() if path.name != "output"} == before


def test_the_pbs_front_end_takes_the_job_too(pbs_study: BatchStudy) -> None:
    pbs_study.write()
    checks, _ = checked(pbs_study, 0)
    assert checks["study files"]["mark"] == "ok"


@pytest.mark.parametrize(
    ("cluster", "failed", "seen", "remedy"),
    [
        ({"queue": "nowhere"}, "submission", "nowhere", "cluster.queue"),
        ({"python": "/usr/bin/python3"}, "connection", "No module named", "cluster.python"),
        (
            {"interface": "ib7", "driver_interface": "lo"},
            "connection",
            "'ib7' is not a valid",
            "cluster.interface",
        ),
    ],
    ids=["queue", "python", "interface"],
)
def test_what_is_wrong_is_named_with_what_to_set(
    slurm_study: BatchStudy, cluster: dict[str, str], failed: str, seen: str, remedy: str
) -> None:
    slurm_study.write(**cluster)
    checks, kept = checked(slurm_study, 1)
    assert checks[failed]["mark"] == "failed"
    assert seen in checks[failed]["seen"]
    assert remedy in checks[failed]["remedy"]
    assert kept is not None
    slurm_study.until(slurm_study.is_gone)


def test_ctrl_c_takes_the_waiting_job_along(slurm_study: BatchStudy) -> None:
    slurm_study.write(queue="closed")
    driver = slurm_study.start("check", str(slurm_study.file), "--cluster")
    slurm_study.until(lambda: "waits: PartitionDown" in slurm_study.output)
    driver.send_signal(signal.SIGINT)
    assert driver.wait(60) == 1
    slurm_study.until(slurm_study.is_gone)
    assert not list(slurm_study.folder.glob(".*-check-*"))


def test_an_mpi_program_gets_its_ranks_from_the_launcher(slurm_study: BatchStudy) -> None:
    ranks = "echo rank $SLURM_PROCID of $SLURM_NTASKS with $OMP_NUM_THREADS"
    stdout = {"f": r"rank 1 of (\d)", "threads": r"with (\d)"}
    evaluate = {"call": None, "command": ["sh", "-c", ranks], "result": {"json": None, "stdout": stdout}}
    slurm_study.write(trials=2, evaluate=evaluate, cpus_per_trial=2, launcher="srun -n {cpus}")
    assert slurm_study.run().wait(120) == 0, slurm_study.account()
    results = slurm_study.results()
    assert results.f.values.tolist() == [2.0, 2.0]
    assert results.threads.values.tolist() == [1.0, 1.0]
