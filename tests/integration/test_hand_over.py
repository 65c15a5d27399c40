"""A driver that is warned of the end of its walltime while Python still starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asktell.overview import read_study
from asktell.run import Study

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, to see what a process blocks")


def test_a_warning_during_the_start_is_heard(tmp_path: Path) -> None:
    study = Study.create(
        {
            "name": "warned",
            "evaluate": {"command": ["sleep", "600"], "result": {"json": None, "stdout": {"y": "(.)"}}},
            "space": {"x": {"type": "real", "low": 0, "high": 1}},
            "objectives": {"y": "minimize"},
            "optimizer": {"engine": "random"},
            "cluster": {"kind": "local", "workers": 1, "dashboard": None},
        },
        tmp_path / "study",
    )
    (study.path / "jobs").mkdir()
    (study.path / "jobs" / "driver.json").write_text('{"system": "slurm", "links": []}')
    (tmp_path / "sbatch").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/submitted\necho 8\n')
    (tmp_path / "sbatch").chmod(0o755)
    environ = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_END_TIME": str(int(time.time()) + 3600),
    }
    # As the driver's script does it: what starts Python ignores the signal.
    command = f"trap '' USR1; exec {sys.executable} -m asktell resume {study.path} --hand-over"
    driver = subprocess.Popen(["bash", "-c", command], env=environ, stdout=subprocess.PIPE, text=True)
    try:
        while not _blocks(driver.pid, signal.SIGUSR1):
            assert driver.poll() is None
            time.sleep(0.001)
        driver.send_signal(signal.SIGUSR1)
        said, _ = driver.communicate(timeout=120)
    finally:
        driver.kill()
    assert driver.returncode == 0, said
    assert (tmp_path / "submitted").read_text() == "--parsable --dependency=afterany:7 driver.sh\n"
    assert read_study(study.path).reason == "handed over to job 8"


def _blocks(pid: int, number: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = dict(line.split(":\t", 1) for line in lines if line.startswith("Sig"))
    return bool(int(masks["SigBlk"], 16) >> (number - 1) & 1)
