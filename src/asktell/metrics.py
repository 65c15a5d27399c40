"""What an evaluation says while it runs: `asktell.log(step, loss=0.3)`.

Every call appends one JSON line, `{"step": 10, "loss": 0.3}`, to the file that the environment
variable ASKTELL_METRICS names; programs in other languages may write the same lines themselves.
Only the standard library is used, so that an objective's start is not slowed.
"""

from __future__ import annotations

import json
import os
import warnings
from functools import cache

from asktell.errors import TrialError

FILE_VARIABLE = "ASKTELL_METRICS"
MAX_NAME_BYTES = 100
"""Names become names of files: a metric with a longer one is left out."""


def log(step: float, **metrics: float) -> None:
    """Keep `metrics` (numbers by name) of the running trial at `step` (iteration, epoch, seconds).

    The last value of each is the store's `metric_<name>`; `asktell show DIR N --json` has the whole curve.
    Outside an evaluation, and where the file cannot be written, it does nothing but warn once: hours
    of work are not to fail for want of a log line. Raises TrialError for what is not a number.
    """
    record = {"step": _number("step", step)}
    record.update((name, _number(name, value)) for name, value in metrics.items())
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        _warn_once("asktell.log was called outside an evaluation; nothing is kept")
        return
    line = json.dumps(record) + "\n"
    try:
        # One write to a file opened for appending: lines of several processes do not mix.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
    except OSError as error:
        _warn_once(f"asktell.log cannot write to {path} ({error.strerror}); metrics are lost")


def parse(line: str | bytes) -> tuple[tuple[float, str, float], ...]:
    """The (step, name, value) of one complete line; empty for a line that is none of ours.

    A damaged line is no reason to lose a result, so it is left out, as are values that are no numbers.
    """
    try:
        record = json.loads(line)
        step = float(record.pop("step"))
        return tuple(
            (step, name, float(value))
            for name, value in record.items()
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and len(name.encode()) <= MAX_NAME_BYTES
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return ()


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # numpy's and torch's scalars have __float__
    except (TypeError, ValueError, OverflowError):
        raise TrialError(f"asktell.log: {name} is {value!r:.80}; give a number") from None


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=3)
