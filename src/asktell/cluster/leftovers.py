"""Jobs that drivers which are no more have left in a queue, and that no later driver would take over."""

from __future__ import annotations

import logging

from asktell.cluster.job_log import JobLog
from asktell.cluster.queues import LISTED, Phase, QueueSilent, batch_queue
from asktell.cluster.scripts import job_name
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory

logger = logging.getLogger(__name__)


def cancel_leftovers(
    config: StudyConfig, directory: StudyDirectory, *, running: bool, spare: str = ""
) -> list[str]:
    """Cancel workers' jobs that wait, and with `running` those that run; returns their ids.

    spare: the kind of batch system whose jobs the driver of the moment looks after itself. One that does
    not answer is logged.
    """
    cancelled: list[str] = []
    submissions = [item for item in JobLog(directory.jobs / "jobs.jsonl").read() if not item.is_over]
    for kind in sorted(LISTED & {item.kind for item in submissions} - {spare}):
        queue, jobs = batch_queue(kind), {item.job for item in submissions if item.kind == kind and item.job}
        cluster = config.cluster.model_copy(update={"kind": kind})
        name = job_name(config.model_copy(update={"cluster": cluster}), directory.root)
        try:
            if any(item.kind == kind and not item.job for item in submissions):
                # A driver died before it knew their numbers.
                jobs |= set(queue.named(name))
            states = queue.jobs(sorted(jobs)).values()
            waiting = [state.id for state in states if state.phase in (Phase.QUEUED, Phase.UNKNOWN)]
            present = [state.id for state in states if state.phase is Phase.RUNNING] if running else []
            if waiting or present:
                queue.cancel([*waiting, *present])
        except QueueSilent as silence:
            logger.warning("jobs of this study may be left in the queue: %s", silence)
        else:
            cancelled += [*waiting, *present]
    return cancelled
