"""Every error that asktell raises on purpose.

    AsktellError
    ├── ConfigError (ValueError)     a study file, a site file or an option is wrong; lists every problem
    ├── SpaceError (ValueError)      a search space, or a point that does not belong to it
    ├── ExpressionError (ValueError) an expression that does not parse, or uses what it may not
    ├── TrialError (ValueError)      an unknown trial, one told before, or a result that does not fit
    ├── EngineError                  an engine cannot do what is asked of it, or is not installed
    │   └── SpaceExhausted           every point of a finite space was proposed
    ├── StudyError                   a study directory that exists already, is missing, or is no study
    │   └── StudyLocked              another driver holds the study
    ├── JournalError                 a damaged line in the middle of a journal
    ├── StoreError                   the store cannot be written or read
    └── ExecutorError                the cluster or the scheduler cannot be used

A trial that fails is data (`Outcome`), never an exception. Messages say what happened, where,
and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class AsktellError(Exception):
    """Base of all errors raised on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a study file.

    place: dotted key ('space.fa_threshold.low'); line: 1-based, 0 where unknown.
    """

    place: str
    message: str
    remedy: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = (
            f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        )
        place = f"{self.place}: " if self.place else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{where}{place}{self.message}{remedy}"


class ConfigError(AsktellError, ValueError):
    """A study file is wrong. `problems` holds everything that was found, in file order."""

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class SpaceError(AsktellError, ValueError):
    """A search space, or a point that does not belong to it."""


class ExpressionError(AsktellError, ValueError):
    """An expression that does not parse, or uses what it may not."""


class TrialError(AsktellError, ValueError):
    """A trial that does not exist or was told before, or a result that does not fit."""


class EngineError(AsktellError):
    """An engine cannot do what is asked of it, or is not installed."""


class SpaceExhausted(EngineError):
    """Every point of a finite space was proposed."""


class StudyError(AsktellError):
    """A study directory that exists already, is missing, or is no study."""


class StudyLocked(StudyError):
    """Another driver holds the study."""


class JournalError(AsktellError):
    """A damaged line in the middle of a journal."""


class StoreError(AsktellError):
    """The store cannot be written or read."""


class ExecutorError(AsktellError):
    """The cluster or the scheduler cannot be used."""
