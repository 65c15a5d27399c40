"""One point evaluated for real, as a worker would, in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asktell.cli.output import plain
from asktell.config import StudyConfig
from asktell.directory import StudyDirectory
from asktell.execute.protocol import Task
from asktell.study import is_feasible
from asktell.trial import Outcome, Params, Status, Trial
from asktell.wording import number
from asktell.worker import evaluator_of


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of the point.

    arrays: 'matrix: float32 (roi: 90, roi_2: 90)'; sizes: their (dtype, shape) by name; violated: bounds
    on results that it does not keep; kept: the attempt's folder, which stays where the attempt failed.
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


def rehearse(config: StudyConfig, trial: Trial) -> Rehearsal:
    """Evaluate the trial's point; what went wrong is in the outcome."""
    root = Path(tempfile.mkdtemp(prefix="asktell-check-"))
    folder = StudyDirectory(root).attempt(trial.number, 0)
    folder.mkdir(parents=True)
    is_completed = False
    try:
        with evaluator_of(config, root) as evaluator:
            evaluation = evaluator.run(Task(trial.number, 0, trial.params, uuid.uuid4().hex), folder)
        is_completed = evaluation.outcome.status is Status.COMPLETED
    finally:
        if is_completed:
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
        kept=None if is_completed else folder,
    )


def _size(dim: str, size: int) -> str:
    return f"{dim}: {size}"
