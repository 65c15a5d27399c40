"""`asktell check --cluster`: tries out, with one tiny job, what a study needs of the place where it will run.

course       the way through it: submission, start, connection, then the probe
probe        what runs on the worker: looks, and tries
machine      cores, memory, GPUs and file systems as a process sees them
verdicts     what was found against what is needed                     (pure)
diagnosis    from the words of a batch system or a log to a remedy     (pure)
report       checks and their marks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asktell.preflight.course import preflight
    from asktell.preflight.report import Check, Mark, Report

__all__ = ["Check", "Mark", "Report", "preflight"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # the worker that is probed needs no more than the probe

    return getattr(import_module(f"{__name__}.{'course' if name == 'preflight' else 'report'}"), name)
