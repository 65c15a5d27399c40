"""One point evaluated for real, as a worker would, in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asktell.cli.output import echo_facts, plain
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory
from asktell.execute.protocol import Task
from asktell.study import is_feasible
from asktell.trial import Outcome, Params, Status, Trial
from asktell.wording import assignments, duration, number
from asktell.worker import evaluator_of


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of the point.

    arrays: 'matrix: float32 (roi: 90, roi_2: 90)'; sizes: their (dtype, shape) by name; violated: bounds
    on results that it does not keep; kept: the attempt's folder where it was left.
    """

    params: Params
    outcome: Outcome
    arrays: tuple[str, ...]
    sizes: Mapping[str, tuple[str, tuple[int, ...]]]
    violated: tuple[str, ...]
    kept: Path | None

    @property
    def is_completed(self) -> bool:
        return self.outcome.status is Status.COMPLETED

    @property
    def further_log(self) -> str:
        """The end of what the attempt wrote, without the lines with which its error ends, too."""
        stdout, mark, stderr = self.outcome.log_tail.rpartition("--- stderr\n")
        lines, told = stderr.rstrip().splitlines(), self.outcome.error.rstrip().splitlines()
        while lines and told and lines[-1] == told[-1]:
            lines.pop()
            told.pop()
        return "\n".join([stdout + mark + lines[0], *lines[1:]]) if lines else stdout.rstrip()

    def as_json(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = plain(self)
        return found


def rehearse(config: StudyConfig, trial: Trial, keep: Path | None = None) -> Rehearsal:
    """Evaluate the trial's point; what went wrong is in the outcome.

    keep: where the attempt's folder goes at the end; by default it is dropped if the attempt completed.
    """
    root = Path(tempfile.mkdtemp(prefix="asktell-check-"))
    folder = StudyDirectory(root).attempt(trial.number, 0)
    folder.mkdir(parents=True)
    is_completed = False
    try:
        with evaluator_of(config, root) as evaluator:
            evaluation = evaluator.run(Task(trial.number, 0, trial.params, uuid.uuid4().hex), folder)
        is_completed = evaluation.outcome.status is Status.COMPLETED
    finally:
        if keep is not None:
            shutil.move(folder, keep)
            folder = keep
        if keep is not None or is_completed:
            shutil.rmtree(root, ignore_errors=True)
    values = evaluation.outcome.values
    return Rehearsal(
        params=trial.params,
        outcome=evaluation.outcome,
        arrays=tuple(
            f"{name}: {array.data.dtype} ({', '.join(map(_size, array.dims, array.data.shape))})"
            for name, array in evaluation.arrays.items()
        ),
        sizes={name: (array.data.dtype.str, array.data.shape) for name, array in evaluation.arrays.items()},
        violated=tuple(
            f"{name} = {number(values.get(name))} is outside [{number(low)}, {number(high)}]"
            for name, (low, high) in config.outcome_bounds().items()
            if is_completed and not is_feasible(values, {name: (low, high)})
        ),
        kept=folder if keep is not None or not is_completed else None,
    )


def _size(dim: str, size: int) -> str:
    return f"{dim}: {size}"


def echo_rehearsal(rehearsal: Rehearsal) -> None:
    """What came of the point, for people."""
    outcome = rehearsal.outcome
    logged = sorted({name for _, name, _ in outcome.metrics})
    echo_facts(
        [
            ("point", assignments(rehearsal.params)),
            ("result", f"{outcome.status} in {duration(outcome.duration_s)}"),
            ("cause", str(outcome.cause)),
            ("error", outcome.error),
            ("values", assignments(outcome.values, "\n")),
            ("arrays", "\n".join(rehearsal.arrays)),
            ("violated", "\n".join(rehearsal.violated)),
            ("metrics", ", ".join(logged)),
            ("log", rehearsal.further_log if not rehearsal.is_completed else ""),
            ("kept in", str(rehearsal.kept) if rehearsal.kept is not None else ""),
        ]
    )
