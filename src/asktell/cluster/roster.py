"""Which jobs are a study's: the log of submissions and the batch system's names, held against each other."""

from __future__ import annotations

import logging
from dataclasses import replace

from asktell.cluster.job_log import JobLog, Submission
from asktell.cluster.queues import Queue, QueueSilent

logger = logging.getLogger(__name__)


class Roster:
    """name: of every job of the study in the queue; kind: of the batch system, as the log has it."""

    def __init__(self, queue: Queue, log: JobLog, name: str, kind: str) -> None:
        self._queue = queue
        self._log = log
        self._name = name
        self._kind = kind

    def unrecorded(self) -> list[str]:
        """Jobs of the study's name that the log does not know; none where the batch system is silent."""
        named = self._named()
        recorded = {item.job for item in self._log.read()} if named else set()
        return [job for job in named or () if job not in recorded]

    def open(self) -> list[Submission]:
        """Those that are not known to be over; where a driver died before it had the id, found by name."""
        found = [item for item in self._log.read() if not item.is_over and item.kind in ("", self._kind)]
        lost = [item for item in found if not item.job]
        known = [item for item in found if item.job]
        if not lost or (named := self._named()) is None:
            return known
        strays = [job for job in named if job not in {item.job for item in known}]
        # Each came from one of the intentions, it does not matter which; those left over came to nothing.
        for item, job in zip(reversed(lost), strays, strict=False):
            self._log.submitted(item.name, job)
            known.append(replace(item, job=job))
        for item in list(reversed(lost))[len(strays) :]:
            self._log.refused(item.name, "nothing of that name is in the queue")
        return known

    def _named(self) -> list[str] | None:
        try:
            return list(self._queue.named(self._name))
        except QueueSilent as silence:
            logger.warning("jobs of this study may be queued that nobody has recorded: %s", silence)
            return None
