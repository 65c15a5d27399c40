"""Job scripts and the commands that take them: the one adapter to the job classes of dask-jobqueue.

Its *Cluster classes are not used: they never replace a dead job. Its settings files are not read
either: what a job asks for stands in the study file, and in the site's defaults beneath it.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask.config

from asktell.cluster.requests import memory_of, request
from asktell.config import StudyConfig, did_you_mean
from asktell.directory import StudyDirectory
from asktell.errors import ConfigError, ExecutorError, Problem

ADDRESS = "tls://DRIVER:PORT"
"""Stands for the scheduler's address where there is none yet."""

_CLASSES = {
    "slurm": "SLURMJob",
    "pbs": "PBSJob",
    "sge": "SGEJob",
    "lsf": "LSFJob",
    "oar": "OARJob",
    "htcondor": "HTCondorJob",
}
_SETTINGS = "jobqueue.asktell"
_KEYS = {
    "account": "account",
    "cores": "cpus_per_trial",
    "env_extra": "prologue",
    "header_skip": "skip_directives",
    "interface": "interface",
    "job_directives_skip": "skip_directives",
    "job_extra": "extra_directives",
    "job_extra_directives": "extra_directives",
    "job_script_prologue": "prologue",
    "local_directory": "local_directory",
    "memory": "memory",
    "processes": "workers_per_job",
    "project": "account",
    "python": "python",
    "queue": "queue",
    "walltime": "walltime",
}
"""Keywords of the job classes that have a key of their own in a study file."""
_FIXED = frozenset(
    {"config_name", "extra", "job_name", "log_directory", "name", "nanny", "protocol", "scheduler"}
    | {"security", "worker_command", "worker_extra_args"}
)
"""Keywords that nobody but this module sets."""


def make_job(config: StudyConfig, directory: Path, name: str, address: str = ADDRESS) -> Any:
    """The `dask_jobqueue.core.Job` of one job of a study in `directory`; `.job_script()` is its script.

    name: of the job's workers; in the queue all jobs of a study have one name (`job_name`).
    Raises ConfigError where the job class refuses what the file asks for, and ExecutorError outside
    the main thread if dask_jobqueue is not loaded yet.
    """
    cluster = config.cluster
    job_class = _job_class(cluster.kind)
    _check_options(job_class, cluster.options)
    directory = directory.absolute()
    queue_name = job_name(config, directory)
    wanted = request(cluster, queue_name, StudyDirectory(directory).jobs)
    skipped = cluster.skip_directives
    directives = [line for line in wanted.directives if not any(text in line for text in skipped)]
    keywords: dict[str, Any] = {
        "scheduler": address,
        "name": shlex.quote(name),
        "job_name": queue_name,
        "config_name": _SETTINGS.rpartition(".")[2],
        "cores": 1,  # one thread for each worker process, however many cores its trial has
        "processes": 1,
        "memory": memory_of(cluster) or 0,
        "nanny": False,
        "interface": shlex.quote(cluster.interface) if cluster.interface is not None else None,
        "local_directory": _word(cluster.local_directory) if cluster.local_directory is not None else None,
        "python": f"exec {_word(cluster.python or sys.executable)}",
        "worker_command": "asktell.job",
        "worker_extra_args": [
            *("--study", shlex.quote(str(directory))),
            *("--workers", str(cluster.workers_per_job)),
        ],
        "shebang": "#!/usr/bin/env bash",
        "job_script_prologue": [*wanted.setup, *cluster.prologue],
        "job_directives_skip": [*wanted.unwanted, *skipped],
        "job_extra_directives": [*directives, *cluster.extra_directives],
    }
    if cluster.kind == "htcondor":
        keywords |= {"shebang": "#!/usr/bin/env condor_submit", "job_directives_skip": []}
        keywords["job_extra_directives"] = {}
    with _own_settings(cluster.kind):
        try:
            job = job_class(**{**keywords, **wanted.keywords, **cluster.options})
        except (TypeError, ValueError) as error:
            raise ConfigError(
                [Problem("cluster.options", str(error).split("\n")[0], "see dask-jobqueue's documentation")]
            ) from error
    if cluster.kind == "htcondor":
        _rewrite_header(job, [*wanted.unwanted, *skipped], [*directives, *cluster.extra_directives])
    return job


def job_script(config: StudyConfig, directory: Path, name: str = "worker", address: str = ADDRESS) -> str:
    """The script of one job, as it is submitted. Raises as `make_job` does."""
    script: str = make_job(config, directory, name, address).job_script()
    return script.strip() + "\n"


def job_name(config: StudyConfig, directory: Path) -> str:
    """What all jobs of a study are called in the queue: unlike those of another study of the same name.

    PBS of some ages takes fifteen characters, a letter first.
    """
    digest = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:6]
    return (
        f"at-{config.name[:5]}-{digest}"
        if config.cluster.kind == "pbs"
        else f"asktell-{config.name}-{digest}"
    )


def fingerprint(config: StudyConfig, directory: Path) -> str:
    """The same for two jobs that ask for the same, whatever their names and the scheduler's address."""
    return hashlib.sha256(job_script(config, directory).encode()).hexdigest()[:16]


def submit_command(job: Any, script: Path) -> list[str]:
    """The command that submits a job's script; it prints the job's id."""
    words = shlex.split(job.submit_command)
    if getattr(job, "use_stdin", False):
        return ["sh", "-c", f'exec {job.submit_command} < "$1"', "sh", str(script)]
    if words == ["oarsub"]:
        return [*words, "--scanscript", str(script)]
    return [*words, str(script)]


def cancel_command(job: Any) -> list[str]:
    """The command that cancels jobs: their ids follow."""
    return shlex.split(job.cancel_command)


def _job_class(kind: str) -> Any:
    if "dask_jobqueue" not in sys.modules and threading.current_thread() is not threading.main_thread():
        raise ExecutorError(
            "dask_jobqueue can only be loaded in the main thread; `import dask_jobqueue` there first"
        )
    before = signal.getsignal(signal.SIGINT)
    module = importlib.import_module(f"dask_jobqueue.{kind}")
    # NOTE: dask_jobqueue/runner.py (0.9.0) takes Ctrl-C for itself when it is imported.
    if before is not None and signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)
    return getattr(module, _CLASSES[kind])


def _own_settings(kind: str) -> Any:
    """A section of dask's settings in which nothing is set, so that nobody's jobqueue.yaml has a say."""
    known: Mapping[str, Any] = dask.config.get(f"jobqueue.{kind}")
    return dask.config.set({_SETTINGS: dict.fromkeys(known)})


def _check_options(job_class: Any, options: Mapping[str, Any]) -> None:
    known = {
        parameter.name
        for ancestor in job_class.__mro__[:2]
        for parameter in inspect.signature(ancestor.__init__).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "self"
    }
    free = sorted(known - _KEYS.keys() - _FIXED)
    problems = []
    for name in options:
        place = f"cluster.options.{name}"
        if name in known & _KEYS.keys():
            problems.append(Problem(place, "has a key of its own", f"write cluster.{_KEYS[name]}"))
        elif name in known & _FIXED:
            problems.append(Problem(place, "is set by asktell", "drop it"))
        elif name not in known:
            remedy = did_you_mean(name, free, f"known here: {', '.join(free)}")
            problems.append(Problem(place, f"{job_class.__name__} of dask-jobqueue does not know it", remedy))
    if problems:
        raise ConfigError(problems)


def _rewrite_header(job: Any, unwanted: list[str], directives: list[str]) -> None:
    """HTCondor's header is a mapping; what is unwanted there may or may not be in it."""
    kept = {
        key: value
        for key, value in job.job_header_dict.items()
        if not any(text in f"{key} = {value}" for text in unwanted)
    }
    added = (line.partition("=") for line in directives)
    job.job_header_dict = kept | {key.strip(): value.strip() for key, _, value in added}


def _word(text: str) -> str:
    """One word for the shell in which $VARIABLES are those of the node."""
    if "$" not in text:
        return shlex.quote(text)
    escaped = re.sub(r'([\\"`])', r"\\\1", text)
    return f'"{escaped}"'
