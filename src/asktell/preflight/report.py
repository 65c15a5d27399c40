"""What a preflight has found out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Mark(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"  # a study would run, though not as it was meant
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a study needs. seen: what was found; remedy: what to set, where something is wrong."""

    name: str
    mark: Mark
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Checks in their order; those behind a failed one may be missing, as it made them impossible.

    kept: the study directory of the preflight, where something failed and its logs may be wanted.
    """

    checks: tuple[Check, ...]
    kept: Path | None = None

    @property
    def is_ok(self) -> bool:
        return not any(check.mark is Mark.FAILED for check in self.checks)
