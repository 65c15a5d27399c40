"""Job scripts of every kind as text, and what goes wrong with them before anything is submitted."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asktell.cluster.scripts import (
    cancel_command,
    fingerprint,
    job_name,
    job_script,
    make_job,
    submit_command,
)
from asktell.config import BATCH_KINDS, StudyConfig, parse
from asktell.errors import ConfigError, ExecutorError

GOLDEN = Path(__file__).parent / "scripts"
DIRECTORY = Path("/scratch/ada/toy.study")
FULL = {
    "jobs": 4,
    "workers_per_job": 2,
    "cpus_per_trial": 4,
    "gpus_per_trial": 1,
    "memory": "8GiB",
    "walltime": "1d2h",
    "queue": "long",
    "account": "ab12",
    "interface": "ib0",
    "local_directory": "$TMPDIR/asktell",
    "prologue": ["module load python", "export OMP_PLACES=cores"],
    "python": "/opt/env/bin/python",
}
PLAIN = {"python": "/opt/env/bin/python"}
CLUSTERS: Mapping[str, Mapping[str, Any]] = {
    "slurm_minimal": PLAIN,
    "slurm_full": FULL | {"constraint": "[rack1|rack2]", "warn_before": "90s"},
    "slurm_memory_per_cpu": PLAIN | {"cpus_per_trial": 2, "memory_per_cpu": "1500MB"},
    "slurm_launcher": PLAIN | {"cpus_per_trial": 2, "launcher": "srun -n {cpus}", "memory": "1GB"},
    "slurm_skip_extra": PLAIN
    | {
        "memory": "1GiB",
        "walltime": "90s",
        "skip_directives": ["--mem", "--signal"],
        "extra_directives": ["--mem-per-cpu=512M", "--qos=long"],
    },
    "pbs_minimal": PLAIN,
    "pbs_full": FULL,
    "pbs_launcher": PLAIN | {"cpus_per_trial": 8, "launcher": "mpirun -np {cpus}"},
    "pbs_nodes": FULL | {"syntax": "nodes"},
    "sge_minimal": PLAIN,
    "sge_full": FULL | {"parallel_environment": "openmp"},
    "lsf_minimal": PLAIN,
    "lsf_full": FULL | {"options": {"lsf_units": "mb"}},
    "oar_minimal": PLAIN,
    "oar_full": {key: FULL[key] for key in FULL if key != "gpus_per_trial"}
    | {"options": {"memory_per_core_property_name": "memcore"}},
    "htcondor_minimal": PLAIN | {"options": {"disk": "1GB"}},
    "htcondor_full": {key: FULL[key] for key in FULL if key != "queue"}
    | {"options": {"disk": "10GB"}, "skip_directives": ["RequestDisk"], "extra_directives": ["+Flavour = 7"]},
}


def study(kind: str, name: str = "toy", **cluster: Any) -> StudyConfig:
    space = {"x": {"type": "real", "low": 0, "high": 1}}
    return parse(
        {
            "name": name,
            "evaluate": {"command": ["true"]},
            "space": space,
            "cluster": {"kind": kind, **cluster},
        }
    )


@pytest.fixture(autouse=True)
def _no_account_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PBS_ACCOUNT", raising=False)


@pytest.mark.parametrize("case", CLUSTERS)
def test_the_script_is_the_one_in_the_file(case: str) -> None:
    config = study(case.partition("_")[0], **CLUSTERS[case])
    script = job_script(config, DIRECTORY, "worker-7", "tls://10.0.0.1:8786")
    assert script == (GOLDEN / f"{case}.sh").read_text()


def test_every_kind_has_its_files() -> None:
    assert {case.partition("_")[0] for case in CLUSTERS} == set(BATCH_KINDS)
    assert {file.stem for file in GOLDEN.glob("*.sh")} == set(CLUSTERS)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.sh")), ids=lambda file: file.stem)
def test_bash_reads_it(file: Path) -> None:
    if not file.stem.startswith("htcondor"):
        subprocess.run(["bash", "-n", file], check=True)


@pytest.mark.parametrize("kind", ["slurm", "pbs", "sge", "lsf", "oar"])
def test_a_path_reaches_the_job_as_it_is(kind: str, tmp_path: Path) -> None:
    """The last line run by a shell, with a python that prints its arguments."""
    directory = tmp_path / 'it\'s a $HOME of "mine"'
    (directory / "jobs").mkdir(parents=True)
    program = tmp_path / "my python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    config = study(kind, python=str(program), local_directory="$SCRATCH/a b")
    last = job_script(config, directory).splitlines()[-1]
    done = subprocess.run(
        ["bash", "-c", last], env={"SCRATCH": "/s"}, capture_output=True, text=True, check=True
    )
    words = done.stdout.splitlines()
    assert words[:2] == ["-m", "asktell.job"]
    assert words[words.index("--study") + 1] == str(directory)
    assert words[words.index("--local-directory") + 1] == "/s/a b"


def test_nobodys_jobqueue_settings_have_a_say() -> None:
    import dask.config

    config = study("slurm")
    before = job_script(config, DIRECTORY)
    theirs = {"queue": "theirs", "walltime": "00:01:00", "job-extra-directives": ["--theirs"]}
    with dask.config.set({f"jobqueue.slurm.{key}": value for key, value in theirs.items()}):
        assert job_script(config, DIRECTORY) == before


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("slurm", {"job_cpus": 3}, r"cluster.options.job_cpus: SLURMJob .* did you mean 'job_cpu'"),
        ("slurm", {"queue": "long"}, r"cluster.options.queue: has a key of its own; write cluster.queue"),
        ("slurm", {"job_extra": ["-x"]}, r"cluster.options.job_extra: .* write cluster.extra_directives"),
        ("pbs", {"worker_command": "x"}, r"cluster.options.worker_command: is set by asktell; drop it"),
        ("sge", {"flavour": 1}, r"cluster.options.flavour: SGEJob .* known here: .*resource_spec"),
        ("htcondor", {}, r"cluster.options: .*disk"),
    ],
)
def test_a_wrong_option_is_named(kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_job(study(kind, options=options), DIRECTORY, "w")


def test_options_go_to_the_job_class_as_they_are() -> None:
    script = job_script(study("pbs", options={"resource_spec": "select=2:ncpus=40"}), DIRECTORY)
    assert "#PBS -l select=2:ncpus=40\n" in script


def test_jobs_are_named_after_the_study_and_its_directory() -> None:
    config = study("slurm", name="connectome")
    assert job_name(config, DIRECTORY).startswith("asktell-connectome-")
    assert job_name(config, DIRECTORY) != job_name(config, Path("/scratch/ada/other.study"))
    assert len(job_name(study("pbs", name="2-connectome"), DIRECTORY)) <= 15
    assert job_name(study("pbs", name="2-connectome"), DIRECTORY)[0].isalpha()


def test_jobs_that_ask_for_the_same_have_the_same_fingerprint() -> None:
    config = study("slurm", walltime="2h")
    assert fingerprint(config, DIRECTORY) == fingerprint(study("slurm", walltime="120min"), DIRECTORY)
    assert fingerprint(config, DIRECTORY) != fingerprint(study("slurm", walltime="3h"), DIRECTORY)
    assert fingerprint(config, DIRECTORY) != fingerprint(config, Path("/scratch/ada/other.study"))


@pytest.mark.parametrize(
    ("kind", "submit", "cancel"),
    [
        ("slurm", ["sbatch", "a b.sh"], ["scancel"]),
        ("pbs", ["qsub", "a b.sh"], ["qdel"]),
        ("sge", ["qsub", "a b.sh"], ["qdel"]),
        ("lsf", ["sh", "-c", 'exec bsub < "$1"', "sh", "a b.sh"], ["bkill"]),
        ("oar", ["oarsub", "--scanscript", "a b.sh"], ["oardel"]),
        ("htcondor", ["condor_submit", "a b.sh"], ["condor_rm"]),
    ],
)
def test_commands(kind: str, submit: list[str], cancel: list[str]) -> None:
    job = make_job(study(kind, options={"disk": "1GB"} if kind == "htcondor" else {}), DIRECTORY, "w")
    assert submit_command(job, Path("a b.sh")) == submit
    assert cancel_command(job) == cancel


def test_ctrl_c_stays_with_whom_it_was() -> None:
    """In a fresh process, as the handler is taken only when dask_jobqueue is imported first."""
    script = (
        "import signal, pathlib\n"
        "from asktell.cluster.scripts import job_script\n"
        "from asktell.config import parse\n"
        "mine = lambda *_: None\n"
        "signal.signal(signal.SIGINT, mine)\n"
        "job_script(parse({'evaluate': {'command': ['true']}, 'space': {'x': 1, 'y': {'type': 'boolean'}},"
        " 'cluster': {'kind': 'slurm'}}), pathlib.Path('s'))\n"
        "assert signal.getsignal(signal.SIGINT) is mine\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_the_first_import_outside_the_main_thread_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    make_job(study("slurm"), DIRECTORY, "w")  # in this thread it is loaded at need
    loaded = {name: module for name, module in sys.modules.items() if name.startswith("dask_jobqueue")}
    found: list[BaseException] = []

    def build() -> None:
        try:
            make_job(study("slurm"), DIRECTORY, "w")
        except ExecutorError as error:
            found.append(error)

    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert "main thread" in str(found[0])
    monkeypatch.undo()
    assert isinstance(sys.modules["dask_jobqueue"], types.ModuleType)
