"""The command line of a job's program, and what its processes agree on."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from asktell.job.__main__ import DEATH_TIMEOUT_S, parse
from asktell.job.crew import Plan


def test_what_dask_jobqueue_writes_is_understood() -> None:
    line = """tls://10.1.2.3:4567 --name study-3 --nthreads 1 --memory-limit 8GiB --death-timeout 60
        --local-directory /scratch/me --interface ib0 --protocol tls:// --tls-ca-file ca.pem --no-nanny
        --nworkers 4 --study '/home/me/a study' --workers 4"""
    plan = parse(shlex.split(line))
    assert plan == Plan("/home/me/a study", "tls://10.1.2.3:4567", "study-3", 4, 60.0, "/scratch/me")


def test_what_is_left_out_has_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    plan = parse(["tcp://10.1.2.3:4567", "--study", "s"])
    assert plan.study == str(tmp_path / "s")
    assert (plan.workers, plan.death_timeout_s, plan.scratch) == (1, DEATH_TIMEOUT_S, str(tmp_path))
    assert plan.name


def test_a_plan_arrives_as_it_was_sent() -> None:
    plan = Plan("/a study", "tcp://h:1", "n", 2, 5.0, "/tmp", job="7[1].pbs", ends_at=1.5, number=1)
    assert plan.encode().count(b"\n") == 1
    assert Plan.decode(plan.encode()) == plan


def test_the_first_process_of_a_job_loads_neither_dask_nor_the_configuration() -> None:
    script = (
        "import sys, asktell.job.__main__\n"
        "heavy = {'dask', 'distributed', 'numpy', 'pydantic', 'yaml', 'asktell.config'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(heavy)}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
