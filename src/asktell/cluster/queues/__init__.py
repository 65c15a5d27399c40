"""Batch systems: one file for each, behind one protocol."""

from __future__ import annotations

from asktell.cluster.queues.protocol import End, JobState, Phase, Queue, QueueSilent, SubmitRefused
from asktell.cluster.queues.selection import batch_queue, make_queue

__all__ = ["End", "JobState", "Phase", "Queue", "QueueSilent", "SubmitRefused", "batch_queue", "make_queue"]
