"""What runs on a worker for one attempt: a callable or a command in, an outcome and its arrays out.

    evaluator    one attempt from a task to an `Evaluation`; the only module that others need
    presence     whether the function or program is there, without running it
    inputs       params.json, rendered templates, argument lists, environment variables
    processes    the worker's side of its helper processes
    launcher     forks a supervisor for each attempt          (standard library only)
    supervisor   watches one process tree until none is left  (standard library only)
    tree         descendants, their memory, their end         (standard library only)
    capture      a log that never grows over its limit        (standard library only)
    child        loads and calls a person's function, writes what it returned
    results      reads what an attempt left behind
    checks       objectives, outputs and `valid`
    tails        metrics and logs while they are written

Names are imported when they are first used: launcher, supervisor and child must start in milliseconds
and must not hold numpy or anything bigger in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asktell.evaluate.evaluator import Evaluation, Evaluator, cleanup
    from asktell.evaluate.presence import Presence
    from asktell.evaluate.results import Array

__all__ = ["Array", "Evaluation", "Evaluator", "Presence", "cleanup"]

_ELSEWHERE = {"Array": "results", "Presence": "presence"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'evaluator')}"), name)
