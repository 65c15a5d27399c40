"""Why a worker in a batch job went: the batch system's record, the job's last words, and the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from asktell.cluster.last_words import LastWords
from asktell.cluster.queues import End, JobState, Phase
from asktell.execute.protocol import Why
from asktell.trial import Cause

PATIENCE_S = 60.0
"""What is not known after so long stays unknown."""
WORDS_S = 20.0
"""A batch system that has said nothing for so long will not: the job's own last words are believed."""
STAY_S = 10.0
"""A worker that is still there so long after a loss does not end with its job."""
END_MARGIN_S = 5.0
"""A job that ends so shortly before its walltime does was ended by it: clocks differ."""

_CAUSES = {
    End.TIMEOUT: Cause.WALLTIME,
    End.PREEMPTED: Cause.PREEMPTED,
    End.NODE_FAIL: Cause.NODE_FAILURE,
    End.OUT_OF_MEMORY: Cause.OUT_OF_MEMORY,
    End.CANCELLED: Cause.CANCELLED,
}
_MEMORY_WORDS = (
    "oom-kill",
    "oom_kill",
    "out of memory",
    "out-of-memory",
    "memory limit",
    "cannot allocate memory",
)
_TOLD_TO_GO = ("SIGTERM", "SIGINT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of a job one of whose workers was lost at `lost_at` (Unix seconds).

    state: what the batch system has said since the loss, None for nothing; ends_at: end of the job's
    walltime; has_workers: some of its workers are there; is_there: the worker itself is, and only what it
    ran is gone; is_shared: the job has several workers, which share its memory; log_tail: the end of the
    job's log.
    """

    job: str
    lost_at: float
    state: JobState | None = None
    words: LastWords | None = None
    ends_at: float | None = None
    has_workers: bool = False
    is_there: bool = False
    is_shared: bool = False
    log_tail: str = ""


def explain(evidence: Evidence, at: float) -> Why | None:
    """Why the worker went; None while more may become known.

    Nobody knows which of several trials used up the memory that they shared: none is charged with it.
    """
    found = _explain(evidence, at)
    if found is not None and found.cause is Cause.OUT_OF_MEMORY and evidence.is_shared:
        return replace(found, counts=False)
    return found


def _explain(evidence: Evidence, at: float) -> Why | None:
    state, words = evidence.state, evidence.words
    is_late = at - evidence.lost_at >= PATIENCE_S
    if state is not None and state.phase is Phase.ENDED:
        return _explain_end(evidence, state, is_late=is_late)
    if state is not None and state.phase is Phase.QUEUED:
        return Why(
            Cause.PREEMPTED, f"the batch system has queued job {evidence.job} again ({_reason(state)})"
        )
    if state is not None and state.phase is Phase.RUNNING and (evidence.has_workers or is_late):
        if _is_memory(evidence.log_tail):
            return Why(Cause.OUT_OF_MEMORY, f"job {evidence.job} still runs, its log speaks of memory")
        return Why(Cause.WORKER_LOST, f"the worker is gone, its job {evidence.job} still runs")
    if evidence.is_there and at - evidence.lost_at >= STAY_S:
        return Why(Cause.WORKER_LOST, f"what the worker ran is gone, its job {evidence.job} still runs")
    has_words = words is not None and words.signal in _TOLD_TO_GO
    if not is_late and not (has_words and state is None and at - evidence.lost_at >= WORDS_S):
        return None
    if _is_over(evidence):
        return Why(Cause.WALLTIME, f"job {evidence.job} came to the end of its walltime")
    if words is not None and words.signal in _TOLD_TO_GO:
        return _told_to_go(evidence.job, words)
    return Why(Cause.WORKER_LOST, f"the worker is gone, and nothing is known of job {evidence.job}")


def _explain_end(evidence: Evidence, state: JobState, *, is_late: bool) -> Why | None:
    said = f"job {evidence.job}: {_reason(state)}"
    if state.end in _CAUSES:
        return Why(_CAUSES[state.end], said)
    # Some batch systems do not tell a walltime, or a person, from a failure.
    if _is_over(evidence):
        return Why(Cause.WALLTIME, f"job {evidence.job} came to the end of its walltime ({_reason(state)})")
    if _is_memory(f"{state.reason} {evidence.log_tail}"):
        return Why(Cause.OUT_OF_MEMORY, said)
    if evidence.words is not None and evidence.words.signal in _TOLD_TO_GO:
        return _told_to_go(evidence.job, evidence.words)
    if state.end is End.UNKNOWN and not is_late:
        return None  # a record, or last words on a slow file system, may still come
    return Why(Cause.WORKER_LOST, said)


def _told_to_go(job: str, words: LastWords) -> Why:
    detail = f"job {job} was told to end ({words.signal}) before its walltime: cancelled, or preempted"
    return Why(Cause.CANCELLED, detail)


def _is_over(evidence: Evidence) -> bool:
    known = evidence.ends_at
    if known is None and evidence.words is not None:
        known = evidence.words.ends_at
    return known is not None and evidence.lost_at >= known - END_MARGIN_S


def _is_memory(text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in _MEMORY_WORDS)


def _reason(state: JobState) -> str:
    return state.reason or state.end.value or state.phase.value
