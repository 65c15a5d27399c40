"""`ds.asktell`: the functions of this package as methods of a study's dataset."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import xarray as xr

from asktell.analysis import forest, optimum, outputs, surrogate, workers
from asktell.errors import StudyError


def _method(function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def method(self: StudyAccessor, *args: Any, **options: Any) -> Any:
        if "trial" not in self._ds.dims:
            raise StudyError("this is one trial without its dimension; keep it: ds.isel(trial=[0])")
        return function(self._ds, *args, **options)

    return method


@xr.register_dataset_accessor("asktell")  # type: ignore[no-untyped-call]  # xarray has no types for it
class StudyAccessor:
    """What can be asked of the dataset of one study; see the functions of the same names."""

    def __init__(self, ds: xr.Dataset) -> None:
        self._ds = ds

    completed = _method(optimum.completed)
    incumbent = _method(optimum.incumbent)
    trace = _method(optimum.trace)
    regret = _method(optimum.regret)
    pareto = _method(optimum.pareto)
    hypervolume = _method(optimum.hypervolume)
    timeline = _method(workers.timeline)
    utilisation = _method(workers.utilisation)
    staleness = _method(workers.staleness)
    cost = _method(workers.cost)
    importance = _method(forest.importance)
    partial_dependence = _method(surrogate.partial_dependence)
    leave_one_out = _method(surrogate.leave_one_out)
    correlation = _method(outputs.correlation)
