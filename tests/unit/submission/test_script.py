"""Scripts of the driver's own job, as text."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asktell.config import StudyConfig, parse
from asktell.directory import StudyDirectory
from asktell.errors import ConfigError
from asktell.submission import DIRECTIVES, batch_system, driver_script

GOLDEN = Path(__file__).parent / "scripts"
DIRECTORY = StudyDirectory(Path("/scratch/ada/toy.study"))
PLAIN = {"python": "/opt/env/bin/python"}
DRIVER = {
    "walltime": "2d",
    "cpus": 2,
    "memory": "3GiB",
    "queue": "serial",
    "account": "cd34",
    "warn_before": "5min",
    "extra_directives": ["-m e"],
}
FULL = {
    "jobs": 4,
    "workers_per_job": 2,
    "cpus_per_trial": 4,
    "gpus_per_trial": 1,
    "memory": "8GiB",
    "queue": "long",
    "account": "ab12",
    "prologue": ["module load python", "export OMP_PLACES=cores"],
    "python": "/opt/env/bin/python",
    "driver": DRIVER,
}
SLURM = FULL | {"driver": DRIVER | {"extra_directives": ["--qos=long"]}}
CLUSTERS: Mapping[str, Mapping[str, Any]] = {
    "slurm_minimal": PLAIN,
    "slurm_full": SLURM,
    "slurm_skip": PLAIN | {"skip_directives": ["--mem", "--signal"]},
    "slurm_single": SLURM | {"single_allocation": True, "constraint": "[rack1|rack2]"},
    "pbs_minimal": PLAIN,
    "pbs_full": FULL,
    "pbs_nodes": FULL | {"syntax": "nodes"},
    "pbs_single": FULL | {"single_allocation": True},
    "pbs_nodes_single": FULL | {"single_allocation": True, "syntax": "nodes"},
    "sge_minimal": PLAIN,
    "sge_full": FULL,
    "sge_single": FULL | {"single_allocation": True, "parallel_environment": "openmp"},
}


def study(kind: str, **cluster: Any) -> StudyConfig:
    return parse(
        {
            "name": "toy",
            "evaluate": {"command": ["true"]},
            "space": {"x": {"type": "real", "low": 0, "high": 1}},
            "cluster": {"kind": kind, **cluster},
        }
    )


@pytest.mark.parametrize("case", CLUSTERS)
def test_the_script_is_the_one_in_the_file(case: str) -> None:
    system = case.partition("_")[0]
    script = driver_script(study(system, **CLUSTERS[case]), DIRECTORY, system)
    assert script == (GOLDEN / f"{case}.sh").read_text()


def test_every_file_is_of_a_case() -> None:
    assert {case.partition("_")[0] for case in CLUSTERS} == set(DIRECTIVES)
    assert {file.stem for file in GOLDEN.glob("*.sh")} == set(CLUSTERS)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.sh")), ids=lambda file: file.stem)
def test_bash_reads_it(file: Path) -> None:
    subprocess.run(["bash", "-n", file], check=True)


@pytest.mark.parametrize("system", DIRECTIVES)
def test_a_path_reaches_the_driver_as_it_is(system: str, tmp_path: Path) -> None:
    """The script run by a shell, with a python that prints its arguments."""
    directory = StudyDirectory(tmp_path / 'it\'s a $HOME of "mine", 50%')
    directory.logs.mkdir(parents=True)
    program = tmp_path / "my python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    script = driver_script(study(system, python=str(program)), directory, system)
    environ = {"PBS_JOBID": "7.server", "JOB_ID": "7"}
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, check=True)
    logs = "".join(path.read_text() for path in directory.logs.iterdir())  # where PBS and Grid Engine write
    words = (done.stdout + logs).splitlines()
    assert words == ["-m", "asktell", "resume", str(directory.root), "--hand-over"]


def test_a_local_study_has_its_workers_in_the_driver_s_job() -> None:
    config = study("local", workers=3, cpus_per_trial=2, driver={"cpus": 1})
    assert "#SBATCH --cpus-per-task=7\n" in driver_script(config, DIRECTORY, "slurm")


@pytest.mark.parametrize("kind", ["local", "lsf"])
def test_who_has_no_batch_system_for_the_driver_is_told_how_to_name_one(kind: str) -> None:
    assert batch_system(study(kind), "pbs") == "pbs"
    with pytest.raises(ConfigError, match="--via slurm"):
        batch_system(study(kind))
