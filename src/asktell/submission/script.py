"""The script of the driver's own batch job, from the templates in hpc/driver."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

import asktell
from asktell.cluster.requests import clock, cpus_of, memory_of, mib
from asktell.cluster.scripts import job_name
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory
from asktell.errors import ConfigError, Problem

DIRECTIVES: Mapping[str, str] = {"slurm": "#SBATCH", "pbs": "#PBS", "sge": "#$"}
"""How a directive begins, by batch system; a driver can be submitted to these."""


def batch_system(config: StudyConfig, via: str | None = None) -> str:
    """The batch system that takes the driver: `via`, or the workers' own. Raises ConfigError without one."""
    system = via or config.cluster.kind
    if system in DIRECTIVES:
        return system
    remedy = f"say which batch system takes the driver: --via {', '.join(DIRECTIVES)}"
    raise ConfigError([Problem("cluster.kind", f"no driver can be submitted to {system}", remedy)])


def driver_script(config: StudyConfig, directory: StudyDirectory, system: str) -> str:
    """The script for `system`, one of `DIRECTIVES`.

    With `cluster.single_allocation`, and for a `local` study, the job has room for the workers too.
    """
    cluster, driver = config.cluster, config.cluster.driver
    text = _template(system).render(
        study=config.name,
        name=_name(config, directory, system),
        logs=str(directory.logs),
        walltime=clock(driver.walltime_s),
        warn_before_s=math.ceil(driver.warn_before_s),
        resources=_RESOURCES[system](_room(config), config),
        queue=driver.queue or cluster.queue,
        account=driver.account or cluster.account,
        extra_directives=[
            *(cluster.extra_directives if cluster.single_allocation else ()),
            *driver.extra_directives,
        ],
        prologue=cluster.prologue,
        python=cluster.python or sys.executable,
        directory=str(directory.root),
    )
    return "".join(line for line in text.splitlines(keepends=True) if not _is_skipped(line, config, system))


def driver_log(directory: StudyDirectory, job: str) -> Path:
    """Where the driver's job writes what a person would see on the terminal."""
    return directory.logs / f"driver-job-{job}.log"


@dataclass(frozen=True, slots=True)
class Room:
    """What the job needs: the driver's share and, where the workers live in it, `jobs` equal shares more."""

    cpus: int
    memory_mb: int
    jobs: int = 0
    cpus_per_job: int = 0
    memory_per_job_mb: int = 0
    gpus_per_job: int = 0

    @property
    def all_cpus(self) -> int:
        return self.cpus + self.jobs * self.cpus_per_job

    @property
    def all_memory_mb(self) -> int:
        """0 where either share is not known: no limit is better than a wrong one."""
        is_known = self.memory_mb and (self.memory_per_job_mb or not self.jobs)
        return self.memory_mb + self.jobs * self.memory_per_job_mb if is_known else 0


def _room(config: StudyConfig) -> Room:
    cluster, driver = config.cluster, config.cluster.driver
    memory_mb = mib(driver.memory_bytes or 0)
    if cluster.single_allocation:
        return Room(
            driver.cpus,
            memory_mb,
            jobs=cluster.jobs,
            cpus_per_job=cpus_of(cluster),
            memory_per_job_mb=mib(memory_of(cluster) or 0),
            gpus_per_job=cluster.gpus_per_trial * cluster.workers_per_job,
        )
    beside = cluster.cpus_per_trial * (cluster.workers or 0) if cluster.kind == "local" else 0
    return Room(driver.cpus + beside, memory_mb)


def _name(config: StudyConfig, directory: StudyDirectory, system: str) -> str:
    """Unlike that of the workers' jobs, which are told by their name; fifteen characters for PBS."""
    name = job_name(config, directory.root)
    return f"ad-{config.name[:5]}-{name[-6:]}" if system == "pbs" else f"{name}-driver"


def _slurm(room: Room, config: StudyConfig) -> list[str]:
    if not room.jobs:
        memory = [f"--mem={room.memory_mb}M"] if room.memory_mb else []
        return ["--ntasks=1", f"--cpus-per-task={room.cpus}", *memory]
    # Tasks of one job are equal, so the driver's share is one of them, or several.
    tasks = room.jobs + math.ceil(room.cpus / room.cpus_per_job)
    found = [f"--ntasks={tasks}", f"--cpus-per-task={room.cpus_per_job}"]
    if room.memory_per_job_mb:
        found.append(f"--mem-per-cpu={math.ceil(room.memory_per_job_mb / room.cpus_per_job)}M")
    if room.gpus_per_job:
        found.append(f"--gpus={room.jobs * room.gpus_per_job}")
    if config.cluster.constraint:
        found.append(f"--constraint={shlex.quote(config.cluster.constraint)}")
    return found


def _pbs(room: Room, config: StudyConfig) -> list[str]:
    if config.cluster.syntax == "nodes":
        gpus = f":gpus={room.gpus_per_job}" if room.gpus_per_job else ""
        workers = f"+{room.jobs}:ppn={room.cpus_per_job}{gpus}" if room.jobs else ""
        memory = [f"mem={room.all_memory_mb}mb"] if room.all_memory_mb else []
        return [f"nodes=1:ppn={room.cpus}{workers}", *memory]
    chunks = [f"1:{_chunk(room.cpus, room.memory_mb)}"]
    if room.jobs:
        gpus = f":ngpus={room.gpus_per_job}" if room.gpus_per_job else ""
        chunks.append(f"{room.jobs}:{_chunk(room.cpus_per_job, room.memory_per_job_mb)}{gpus}")
    return [f"select={'+'.join(chunks)}"]


def _chunk(cpus: int, memory_mb: int) -> str:
    return f"ncpus={cpus}:mem={memory_mb}mb" if memory_mb else f"ncpus={cpus}"


def _sge(room: Room, config: StudyConfig) -> list[str]:
    found = [f"-pe {config.cluster.parallel_environment} {room.all_cpus}"] if room.all_cpus > 1 else []
    if room.all_memory_mb:
        found.append(f"-l h_vmem={math.ceil(room.all_memory_mb / room.all_cpus)}M")  # it counts per slot
    if room.gpus_per_job:
        found.append(f"-l gpu={room.jobs * room.gpus_per_job}")
    return found


_RESOURCES: Mapping[str, Callable[[Room, StudyConfig], list[str]]] = {
    "slurm": _slurm,
    "pbs": _pbs,
    "sge": _sge,
}


def _is_skipped(line: str, config: StudyConfig, system: str) -> bool:
    return line.startswith(DIRECTIVES[system]) and any(
        word in line for word in config.cluster.skip_directives
    )


def _template(system: str) -> jinja2.Template:
    package = Path(asktell.__file__).parent
    environment = jinja2.Environment(
        # In a wheel they lie in the package, in a checkout of the sources beside `src`.
        loader=jinja2.FileSystemLoader([package / "hpc" / "driver", package.parents[1] / "hpc" / "driver"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["quote"] = shlex.quote
    return environment.get_template(f"{system}.sh.j2")
