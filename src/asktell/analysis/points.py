"""Trials' parameters as their evaluations got them: a store has codes, and floats for what may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import xarray as xr

from asktell.analysis import facts
from asktell.space import Constant
from asktell.space.parameters import Choice


def values(ds: xr.Dataset, name: str) -> list[Any]:
    """A parameter's values as evaluations got them; None where it is inactive."""
    parameter = facts.space(ds).parameters[name]
    if isinstance(parameter, Choice | Constant) and f"{name}_code" in ds:
        choices = parameter.levels(1)
        return [choices[int(code)] if code >= 0 else None for code in ds[f"{name}_code"].values]
    is_flag = isinstance(parameter.levels(1)[0], bool)
    return [
        parameter.normalise(bool(value) if is_flag else value) if there else None
        for value, there in zip(ds[name].values.tolist(), facts.activity(ds, name, parameter), strict=True)
    ]


def points(ds: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Each trial's parameters, without the inactive ones."""
    names = list(facts.space(ds).parameters)
    for row in zip(*(values(ds, name) for name in names), strict=True):
        yield {name: value for name, value in zip(names, row, strict=True) if value is not None}
