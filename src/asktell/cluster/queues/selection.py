"""Which batch system a configuration means."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asktell.cluster.queues import steps
from asktell.cluster.queues.generic import GenericQueue
from asktell.cluster.queues.pbs import PbsQueue
from asktell.cluster.queues.protocol import Queue
from asktell.cluster.queues.sge import GridEngineQueue
from asktell.cluster.queues.slurm import SlurmQueue
from asktell.cluster.requests import cpus_of
from asktell.cluster.scripts import make_job
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory

BatchQueue = SlurmQueue | PbsQueue | GridEngineQueue
"""Their `submit` takes the id of a job, too, whose end the new one waits for."""

_KINDS: Mapping[str, Callable[[], BatchQueue]] = {
    "slurm": SlurmQueue,
    "pbs": PbsQueue,
    "sge": GridEngineQueue,
}

LISTED = frozenset(_KINDS)
"""Kinds of batch systems that `batch_queue` knows, and that can tell how their jobs stand."""


def make_queue(config: StudyConfig, directory: StudyDirectory) -> Queue:
    """The batch system of `cluster.kind`, or the steps of the job in which this process runs."""
    cluster = config.cluster
    if cluster.single_allocation:
        launcher = {"slurm": steps.srun(cpus_of(cluster)), "pbs": steps.pbsdsh()}.get(
            cluster.kind, steps.here()
        )
        return steps.StepQueue(launcher, cluster.jobs, directory.jobs)
    if cluster.kind in _KINDS:
        return _KINDS[cluster.kind]()
    return GenericQueue(make_job(config, directory.root, "worker"))


def batch_queue(system: str) -> BatchQueue:
    """The batch system of that name: slurm, pbs or sge."""
    return _KINDS[system]()
