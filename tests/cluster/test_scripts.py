"""The schedulers themselves take the job scripts: what a job gets, and where its log goes."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from batch_studies import BatchStudy

from asktell.cluster.scripts import cancel_command, job_name, make_job, submit_command
from asktell.config import parse

CASES: dict[str, dict[str, Any]] = {
    "minimal": {},
    "memory": {"memory": "100MB", "walltime": "90s", "warn_before": "20s", "queue": "main"},
    "memory_per_cpu": {"memory_per_cpu": "50MB", "cpus_per_trial": 2},
    "launcher": {"cpus_per_trial": 2, "launcher": "srun -n {cpus}"},
    "skip_extra": {"memory": "1GB", "skip_directives": ["--mem"], "extra_directives": ["--mem=200M"]},
}
PROGRAM = '#!/bin/sh\nprintf "<%s>\\n" "$@"\nenv | grep "^SLURM_[CNM]"\n'
"""Stands for Python on the node: it says what it was called with, and what the job was given."""


def run(study: BatchStudy, cluster: dict[str, Any]) -> str:
    """The log of a job of this cluster, whose directory has a name that needs quotes."""
    folder = study.folder / "it's 50% done"
    jobs = folder / "jobs"
    jobs.mkdir(parents=True)
    python = study.folder / "python"
    python.write_text(PROGRAM)
    python.chmod(0o755)
    config = parse(
        {
            "name": "scripts",
            "evaluate": {"command": ["true"]},
            "space": {"x": {"type": "real", "low": 0, "high": 1}},
            "cluster": {"kind": study.kind, "python": str(python), **cluster},
        }
    )
    job = make_job(config, folder, "s1-1")
    script = jobs / "s1-1.sh"
    script.write_text(job.job_script())
    done = subprocess.run(
        submit_command(job, Path(script.name)),  # the PBS front end quotes no path
        cwd=jobs,
        env=study.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = re.search(job.job_id_regexp, done.stdout)
    assert found is not None
    number = found["job_id"]
    try:
        return _ended(number, study.environ, jobs / f"{number}.log")
    finally:
        subprocess.run([*cancel_command(job), number], env=study.environ, capture_output=True, check=False)
        assert job_name(config, folder) in script.read_text()


def _ended(number: str, environ: dict[str, str], log: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        queue = ["squeue", "--noheader", "--jobs", number, "--states", "all", "--format=%T"]
        state = subprocess.run(queue, env=environ, capture_output=True, text=True, check=False).stdout.strip()
        if state not in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING"):
            assert state == "COMPLETED"
            return log.read_text()
        time.sleep(0.3)
    raise AssertionError(f"job {number} does not end: {state}")


@pytest.mark.parametrize("case", CASES)
def test_slurm_takes_the_script(slurm_study: BatchStudy, case: str) -> None:
    cluster = CASES[case]
    said = run(slurm_study, cluster)
    assert "<asktell.job>\n" in said
    assert f"<{slurm_study.folder / ('it' + chr(39) + 's 50% done')}>\n" in said
    cpus = cluster.get("cpus_per_trial", 1)
    assert f"SLURM_CPUS_ON_NODE={cpus}\n" in said
    assert ("SLURM_NTASKS=2\n" in said) is ("launcher" in cluster)
    expected = {"memory": "SLURM_MEM_PER_NODE=96\n", "memory_per_cpu": "SLURM_MEM_PER_CPU=48\n"}
    assert expected.get(case, "") in said


@pytest.mark.parametrize("syntax", ["select", "nodes"])
def test_pbs_takes_the_script(pbs_study: BatchStudy, syntax: str) -> None:
    said = run(pbs_study, {"syntax": syntax, "cpus_per_trial": 2, "memory": "100MB", "walltime": "5min"})
    assert "<asktell.job>\n" in said
    assert "SLURM_CPUS_ON_NODE=2\n" in said
    assert os.fspath(pbs_study.folder) in said
