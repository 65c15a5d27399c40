"""When a trial whose attempt was lost has failed, rather than being tried again."""

from __future__ import annotations

from asktell.records import Lost
from asktell.study.rules import Policy, Rules
from asktell.study.state import TrialState
from asktell.trial import Cause, Outcome, Status

MANY_REQUEUES = 20
"""Attempts that a trial loses free of charge; one that is preempted for ever must not run for ever."""

_NOT_THE_TRIALS = (Cause.DRIVER_LOST, Cause.FENCED)


def is_charged(cause: Cause, rules: Rules) -> bool:
    """Whether a loss for this reason counts against the trial."""
    return rules.policies.get(cause, Policy.REQUEUE) is not Policy.REQUEUE


def is_requeue(loss: Lost) -> bool:
    """Whether it counts towards `MANY_REQUEUES`. What befalls drivers does not."""
    return not loss.counts and loss.cause not in _NOT_THE_TRIALS


def verdict(state: TrialState, loss: Lost, rules: Rules, *, had_whole_job: bool) -> Outcome | None:
    """The end that a loss puts to its trial, None where it is tried again."""
    if loss.cause is Cause.WALLTIME and had_whole_job and not rules.has_checkpoints:
        return _failed(
            loss,
            "it ran for a whole job and was not done; give jobs a longer cluster.walltime, or let it save "
            "checkpoints (evaluate.checkpoint_signal)",
        )
    if not loss.counts:
        requeues = state.requeues + is_requeue(loss)
        if requeues < MANY_REQUEUES:
            return None
        return _failed(loss, f"it was lost {requeues} times, as often as a point is tried again")
    if rules.policies[loss.cause] is Policy.FAIL:
        return _failed(loss, f"it was lost, and failures.{loss.cause} is fail")
    if loss.cause is Cause.WORKER_LOST:
        losses = state.losses + 1
        if losses < rules.max_lost:
            return None
        times = "once" if losses == 1 else f"{losses} times"
        return _failed(loss, f"its worker was lost {times} while it ran (max_lost: {rules.max_lost})")
    if state.failures < rules.retries:
        return None
    return _failed(loss, f"it was lost, and no retry is left (evaluate.retries: {rules.retries})")


def _failed(loss: Lost, error: str) -> Outcome:
    return Outcome(Status.FAILED, loss.cause, error=f"{error}; last: {loss.detail}" if loss.detail else error)
