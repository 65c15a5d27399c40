"""Batch systems: one file for each, behind one protocol."""

from __future__ import annotations

from asktell.cluster.queues.protocol import End, JobState, Phase, Queue, QueueSilent, SubmitRefused
from asktell.cluster.queues.selection import LISTED, batch_queue, make_queue

__all__ = [
    "LISTED",
    "End",
    "JobState",
    "Phase",
    "Queue",
    "QueueSilent",
    "SubmitRefused",
    "batch_queue",
    "make_queue",
]
