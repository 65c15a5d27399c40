"""A person's function of one trial, and what it makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import xarray as xr

from asktell.errors import ConfigError, StudyError, TrialError
from asktell.evaluate import child


@dataclass(frozen=True, slots=True)
class Measure:
    """`function(trial) -> number, or numbers by name`, where `trial` is a row of `asktell.open`.

    target: 'measures.py:density' or 'package.module:function'; folder: in which the file is, or that comes
    first where modules are looked for. A lone number is named after the function.
    """

    target: str
    folder: str

    @property
    def name(self) -> str:
        return self.target.rpartition(":")[2].rpartition(".")[2]

    def check(self) -> None:
        """Raise StudyError where there is no such function, or its module cannot be imported."""
        module, colon, name = self.target.rpartition(":")
        if not (colon and module and name):
            raise StudyError(
                f"{self.target!r} names no function; write measures.py:density, or module:function"
            )
        file = Path(self.folder) / module
        if module.endswith(".py") and not file.is_file():
            raise StudyError(f"{self.target}: there is no file {file}; correct its name")
        try:
            _ = self.function
        except ConfigError as error:
            raise StudyError(str(error)) from error
        except Exception as error:
            raise StudyError(f"{self.target} cannot be imported: {child.explain(error)}") from error

    @property
    def function(self) -> child.Function:
        return _load(self.target, self.folder)

    def of(self, trial: xr.Dataset) -> dict[str, float]:
        """The numbers of one trial; arrays of it are read when the function looks at them.

        Raises TrialError for anything but finite numbers, and whatever the function raises.
        """
        result = self.function(trial)
        if isinstance(result, xr.DataArray):
            result = result.rename(None)  # it has the name of what it was computed from
        described, arrays = child.describe(result)
        if arrays:
            shapes = ", ".join(f"{name or 'the result'} has shape {arrays[item['index']].shape}"
                               for name, item in described["arrays"].items())  # fmt: skip
            raise TrialError(f"{self.target} is to return numbers: {shapes}")
        values = {name or self.name: value for name, value in described["values"].items()}
        if not values:
            raise TrialError(f"{self.target} returned no number")
        for name, value in values.items():
            if not math.isfinite(value):
                raise TrialError(f"{name!r} is {value}; a finite number is needed")
        return values


@cache
def _load(target: str, folder: str) -> child.Function:
    return child.load(target, Path(folder), "--objective")
