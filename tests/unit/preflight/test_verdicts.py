"""What is said of a node, and what to set."""

import platform

import pytest

from asktell.config import ClusterConfig
from asktell.evaluate import Presence
from asktell.preflight import Check, Mark, verdicts
from asktell.preflight.machine import Share
from asktell.preflight.probe import Place

HERE = platform.python_version()
MAJOR, MINOR, _ = HERE.split(".", 2)
JOB = ClusterConfig(kind="slurm", cpus_per_trial=4, workers_per_job=2, memory_bytes=2_000_000_000)


@pytest.mark.parametrize(
    ("there", "mark"),
    [
        (HERE, Mark.OK),
        (f"{MAJOR}.{MINOR}.999", Mark.WARNING),
        (f"{MAJOR}.{int(MINOR) + 1}.0", Mark.FAILED),
    ],
)
def test_another_python_is_told_from_another_release(there: str, mark: Mark) -> None:
    assert verdicts.python(there, "/opt/python").mark is mark


@pytest.mark.parametrize(
    ("changed", "mark", "seen"),
    [
        ({}, Mark.OK, "the same 2 versions"),
        ({"numpy": "1.0"}, Mark.WARNING, "numpy: 1.0 there, 2.4 here"),
        ({"dask": "2020.1"}, Mark.FAILED, "dask: 2020.1 there, 2026.8 here"),
        ({"zarr": "3"}, Mark.WARNING, "zarr: 3 there, missing here"),
    ],
)
def test_packages_that_differ_are_listed(changed: dict[str, str], mark: Mark, seen: str) -> None:
    here = {"numpy": "2.4", "dask": "2026.8"}
    check = verdicts.packages(here, {**here, **changed})
    assert check.mark is mark
    assert seen in check.seen


def _check(name: str) -> Check:
    """A node on which nearly everything is wrong."""
    poor = Share(cores=4, memory_bytes=1_000_000_000, gpus=None)
    return {
        "objective": verdicts.objective(Presence("objective.py:f", "No module named 'scipy'")),
        "unshared": verdicts.study_files(Place("/home/me", "No such file or directory"), 0.0, None),
        "unseen": verdicts.study_files(Place("/home/me"), 0.1, None),
        "slow": verdicts.study_files(Place("/home/me", file_system="nfs4"), 20.0, 0.1),
        "unwritable": verdicts.scratch(Place("/scratch", "Permission denied")),
        "networked": verdicts.scratch(Place("/scratch", file_system="lustre", free_bytes=10**12)),
        "full": verdicts.scratch(Place("/tmp", file_system="ext4", free_bytes=10**6)),
        "clocks": verdicts.clocks(-60.0, 0.01),
        "endless": verdicts.walltime(JOB, None),
        "cores": verdicts.cores(JOB, poor, 2),
        "memory": verdicts.memory(JOB, poor),
        "gpus": verdicts.gpus(ClusterConfig(kind="slurm", gpus_per_trial=1), poor),
    }[name]


@pytest.mark.parametrize(
    ("name", "mark", "told"),
    [
        ("objective", Mark.FAILED, "cluster.prologue"),
        ("unshared", Mark.FAILED, "all nodes share"),
        ("unseen", Mark.FAILED, "all nodes share"),
        ("slow", Mark.WARNING, "shared file system"),
        ("unwritable", Mark.FAILED, "cluster.local_directory"),
        ("networked", Mark.WARNING, "cluster.local_directory"),
        ("full", Mark.WARNING, "cluster.local_directory"),
        ("clocks", Mark.WARNING, "NTP"),
        ("endless", Mark.WARNING, "cluster.walltime"),
        ("cores", Mark.WARNING, "cluster.cpus_per_trial"),
        ("memory", Mark.WARNING, "cluster.memory"),
        ("gpus", Mark.FAILED, "cluster.queue"),
    ],
)
def test_what_is_wrong_comes_with_what_to_set(name: str, mark: Mark, told: str) -> None:
    check = _check(name)
    assert check.mark is mark
    assert told in check.remedy


@pytest.mark.parametrize(
    "check",
    [
        verdicts.objective(Presence("objective.py:f", took_s=0.5)),
        verdicts.study_files(Place("/home/me", file_system="nfs4", free_bytes=10**12), 0.1, 0.2),
        verdicts.scratch(Place("/tmp", file_system="ext4", free_bytes=10**11)),
        verdicts.clocks(3.0, 0.1),
        verdicts.clocks(40.0, 100.0),  # a round trip so slow that it says nothing
        verdicts.walltime(JOB, 250.0),
        verdicts.cores(JOB, Share(8, None, None), 2),
        verdicts.cores(JOB.model_copy(update={"launcher": "srun -n {cpus}"}), Share(2, None, None), 2),
        verdicts.memory(JOB, Share(8, 4_000_000_000, None)),
        verdicts.memory(JOB, Share(8, None, None)),
        verdicts.gpus(ClusterConfig(kind="slurm", gpus_per_trial=1), Share(8, None, 1)),
    ],
    ids=lambda check: check.name,
)
def test_what_is_well_needs_nothing(check: Check) -> None:
    assert (check.mark, check.remedy) == (Mark.OK, "")
