"""What a study file asks of a batch system, in the words of each kind. Pure: no scheduler is asked.

A job holds `workers_per_job` trials on one node (an MPI trial may span nodes). Nothing is submitted
with the scheduler's own requeueing: the keeper replaces a job that is lost, and two of them would
be one too many.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asktell.config import ClusterConfig

_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Request:
    """What the job class of dask-jobqueue is told beside what all kinds have in common.

    directives: lines that it does not write itself, without #SBATCH and the like; unwanted: texts in
    lines that it writes and should not; setup: shell lines before everything else.
    """

    keywords: Mapping[str, Any]
    directives: Sequence[str] = ()
    unwanted: Sequence[str] = ()
    setup: Sequence[str] = ()


def cpus_of(cluster: ClusterConfig) -> int:
    """Cores of one job."""
    return cluster.cpus_per_trial * cluster.workers_per_job


def memory_of(cluster: ClusterConfig) -> int | None:
    """Bytes that one job asks for; None where it is left to the queue."""
    if cluster.memory_per_cpu_bytes is not None:
        return cluster.memory_per_cpu_bytes * cpus_of(cluster)
    if cluster.memory_bytes is not None:
        return cluster.memory_bytes * cluster.workers_per_job
    return None


def request(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    """One job of this cluster. name: in the queue; jobs: the folder for its log, <job id>.log."""
    return _KINDS[cluster.kind](cluster, name, jobs)


def _slurm(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    cpus, memory = cpus_of(cluster), memory_of(cluster)
    gpus = cluster.gpus_per_trial * cluster.workers_per_job
    # A '%' in the path would start one of sbatch's own replacements.
    directives = [f"-o {shlex.quote(str(jobs).replace('%', '%%') + '/%j.log')}", "--no-requeue"]
    unwanted = []
    if cluster.launcher is not None:
        # srun and mpirun start as many ranks as the job has tasks.
        unwanted += ["#SBATCH -n 1", "--cpus-per-task="]
        directives += [f"-n {cpus}", "--cpus-per-task=1"]
    if memory is None or cluster.memory_per_cpu_bytes is not None:
        unwanted.append("--mem=")
    if cluster.memory_per_cpu_bytes is not None:
        directives.append(f"--mem-per-cpu={mib(cluster.memory_per_cpu_bytes)}M")
    if gpus:
        directives.append(f"--gres=gpu:{gpus}")
    if cluster.constraint is not None:
        directives.append(f"--constraint={shlex.quote(cluster.constraint)}")
    if cluster.walltime_s is not None and cluster.walltime_s > cluster.warn_before_s > 0:
        directives.append(f"--signal=B:USR1@{math.ceil(cluster.warn_before_s)}")
    keywords = {
        "queue": cluster.queue,
        "account": cluster.account,
        "walltime": clock(cluster.walltime_s),
        "job_cpu": cpus,
        "job_mem": f"{mib(memory or 0)}M",
    }
    return Request(keywords, directives, unwanted)


def _pbs(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    cpus, memory = cpus_of(cluster), memory_of(cluster)
    gpus = cluster.gpus_per_trial * cluster.workers_per_job
    size = f"mem={mib(memory)}mb" if memory is not None else ""
    if cluster.syntax == "select":
        ranks = f"mpiprocs={cpus}" if cluster.launcher is not None else ""
        parts = ["select=1", f"ncpus={cpus}", ranks, size, f"ngpus={gpus}" if gpus else ""]
        resources = ":".join(filter(None, parts))
    else:
        nodes = f"nodes=1:ppn={cpus}" + (f":gpus={gpus}" if gpus else "")
        resources = ",".join(filter(None, (nodes, size)))
    keywords = {
        "queue": cluster.queue,
        "account": cluster.account,
        "walltime": clock(cluster.walltime_s),
        "resource_spec": resources,
    }
    folder = shlex.quote(str(jobs))
    # PBS hands out what a job wrote when it has ended: too late for whoever wants to know how it fares.
    setup = [f'exec > {folder}/"$PBS_JOBID".log 2>&1']
    return Request(keywords, ["-j oe", f"-o {shlex.quote(f'{jobs}/')}", "-r n"], setup=setup)


def _sge(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    cpus, memory = cpus_of(cluster), memory_of(cluster)
    gpus = cluster.gpus_per_trial * cluster.workers_per_job
    directives = [
        f"-pe {cluster.parallel_environment} {cpus}",
        f"-o {shlex.quote(str(jobs))}/$JOB_ID.log",
        "-r n",
    ]
    if gpus:
        directives.append(f"-l gpu={gpus}")
    keywords = {
        "queue": cluster.queue,
        "project": cluster.account,
        "walltime": clock(cluster.walltime_s),
        # Grid Engine counts memory for each slot of a parallel environment.
        "resource_spec": f"h_vmem={mib(memory / cpus)}M" if memory is not None else None,
    }
    return Request(keywords, directives)


def _lsf(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    memory = memory_of(cluster)
    gpus = cluster.gpus_per_trial * cluster.workers_per_job
    keywords = {
        "queue": cluster.queue,
        "project": cluster.account,
        "walltime": (clock(cluster.walltime_s, step_s=60) or "").removesuffix(":00") or None,
        "ncpus": cpus_of(cluster),
        "mem": memory,
        "use_stdin": True,
    }
    directives = [f"-o {shlex.quote(f'{jobs}/%J.log')}", *([f'-gpu "num={gpus}"'] if gpus else [])]
    return Request(keywords, directives, ["#BSUB -M"] if memory is None else [])


def _oar(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    cpus = cpus_of(cluster)
    log = shlex.quote(f"{jobs}/%jobid%.log")
    keywords = {
        "queue": cluster.queue,
        "project": cluster.account,
        "walltime": clock(cluster.walltime_s),
        "cores": cpus,  # it divides the memory among them
        "processes": cpus,
        # The name of the property that holds a node's memory is the site's own: cluster.options has it.
        "memory_per_core_property_name": "not_applicable",
    }
    return Request(keywords, [f"-O {log}", f"-E {log}"])


def _htcondor(cluster: ClusterConfig, name: str, jobs: Path) -> Request:
    cpus, memory = cpus_of(cluster), memory_of(cluster)
    gpus = cluster.gpus_per_trial * cluster.workers_per_job
    directives = [
        f"batch_name = {name}",
        f"Output = {jobs}/$(ClusterId).$(ProcId).log",
        f"Error = {jobs}/$(ClusterId).$(ProcId).err",
    ]
    if cluster.account is not None:
        directives.append(f"accounting_group = {cluster.account}")
    if cluster.walltime_s is not None:
        directives.append(f"allowed_job_duration = {math.ceil(cluster.walltime_s)}")
    if gpus:
        directives.append(f"request_gpus = {gpus}")
    unwanted = ["RequestMemory", "MY.DaskWorkerMemory"] if memory is None else []
    keywords = {"cores": cpus, "processes": cpus, "submit_command_extra": [], "cancel_command_extra": []}
    return Request(keywords, directives, unwanted)


_KINDS: Mapping[str, Callable[[ClusterConfig, str, Path], Request]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "sge": _sge,
    "lsf": _lsf,
    "oar": _oar,
    "htcondor": _htcondor,
}


def mib(size_bytes: float) -> int:
    """Schedulers count memory in powers of 1024; rounded up."""
    return math.ceil(size_bytes / _MIB)


def clock(seconds: float | None, step_s: int = 1) -> str | None:
    """HH:MM:SS, rounded up to whole steps; hours go beyond 24, which every scheduler takes."""
    if seconds is None:
        return None
    minutes, rest_s = divmod(math.ceil(seconds / step_s) * step_s, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest_s:02}"
