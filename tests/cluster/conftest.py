"""Batch schedulers to test on: without one a test is skipped; where CI provides one, it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_studies import GRID_ENGINE, BatchStudy, GridEngineStudy, run

TESTBED = "bring it up with `PBS=1 hpc/testbed/slurm-up.sh` (as root)"
PBS_COMMANDS = Path("/opt/slurm-torque/usr/bin")
"""Where hpc/testbed/slurm-up.sh unpacks the PBS front end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.cluster)


def _need(name: str, is_there: bool) -> None:
    if is_there:
        return
    if name in os.environ.get("ASKTELL_CI_PROVIDES", "").split():
        pytest.fail(f"{name} should be here: {TESTBED}")
    pytest.skip(f"needs the {name} testbed: {TESTBED}")


def _slurm_is_up() -> bool:
    """The testbed's partitions are there; other clusters do not have them."""
    if shutil.which("sinfo") is None:
        return False
    asked = subprocess.run(
        ["sinfo", "--noheader", "--format=%R"], capture_output=True, check=False, text=True, timeout=60
    )
    return {"main", "closed", "staff", "low", "high"} <= set(asked.stdout.split())


@pytest.fixture(scope="session")
def _slurm() -> bool:
    return _slurm_is_up()


def _ended(study: BatchStudy) -> Iterator[BatchStudy]:
    yield study
    study.end()


@pytest.fixture
def slurm_study(_slurm: bool, tmp_path: Path) -> Iterator[BatchStudy]:
    """A study to be written and run on SLURM; nothing of it may be left in the end."""
    _need("slurm", _slurm)
    yield from _ended(BatchStudy(tmp_path, "slurm", dict(os.environ)))


@pytest.fixture
def pbs_study(_slurm: bool, tmp_path: Path) -> Iterator[BatchStudy]:
    """The same on the PBS front end."""
    _need("pbs", _slurm and (PBS_COMMANDS / "qsub").exists())
    path = f"{PBS_COMMANDS}{os.pathsep}{os.environ['PATH']}"
    yield from _ended(BatchStudy(tmp_path, "pbs", {**os.environ, "PATH": path}))


def _sge_is_up() -> bool:
    """The testbed's namespace is there, and its node takes jobs."""
    namespaces = run("ip", "netns", "list") if shutil.which("ip") else ""
    if "sge" not in namespaces.split():
        return False
    unreachable = [str(GRID_ENGINE), "qstat", "-f", "-qs", "u"]
    asked = subprocess.run(unreachable, capture_output=True, check=False, text=True)
    return asked.returncode == 0 and not asked.stdout.strip()


@pytest.fixture
def sge_study(tmp_path: Path) -> Iterator[BatchStudy]:
    """The same on Grid Engine, which CI does not bring up."""
    if not _sge_is_up():
        pytest.skip("needs the Grid Engine testbed: bring it up with `hpc/testbed/sge-up.sh` (as root)")
    yield from _ended(GridEngineStudy(tmp_path, "sge", dict(os.environ)))
