"""What a trial of a retold study runs: what the study before it ran, then the function of what came of it."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.config
import xarray as xr

from asktell.analysis import open as open_results
from asktell.config import from_resolved
from asktell.errors import TrialError
from asktell.evaluate import Array, child
from asktell.evaluate.checks import check
from asktell.evaluate.results import Result, from_object
from asktell.evaluate.tails import MetricsTail
from asktell.execute.protocol import Task
from asktell.expression import Expression
from asktell.metrics import FILE_VARIABLE
from asktell.retell.measure import Measure
from asktell.store import Layout, Row, Spool, Store, encode_output
from asktell.study import schema_of
from asktell.trial import CoordRecord, Outcome, Params, Status, Trial, Value
from asktell.worker import evaluator_of

_KEPT = ("ASKTELL_CHECKPOINT", FILE_VARIABLE)


class Evaluation:
    """The objective function of a retold study.

    study: the file of the study before it; target, folder: see `Measure`. Both functions are imported here,
    once for all attempts that are forked.
    """

    def __init__(self, study: Path, target: str, folder: str) -> None:
        self._config = config = from_resolved(study)
        self._measure = Measure(target, folder)
        call = config.evaluate.call
        self._function = None if call is None else child.load_from(call, str(config.evaluate.folder))
        self._measure.check()

    def __call__(self, **params: Value) -> dict[str, Any]:
        """All results of the study before, and those of the function; these win where names are the same."""
        result = self._result(params)
        with (
            tempfile.TemporaryDirectory(dir=os.environ["ASKTELL_DIR"]) as folder,
            dask.config.set(scheduler="synchronous"),  # threads of an earlier fork are not there any more
        ):
            values = self._measure.of(self._row(params, result, Path(folder)))
        arrays = {name: _labelled(array, result.coords) for name, array in result.arrays.items()}
        return {**result.values, **arrays, **values}

    def _result(self, params: Params) -> Result:
        if self._function is None:
            return self._run(params)
        config = self._config
        return check(
            from_object(self._function(**params)),
            params,
            objectives=tuple(config.objectives),
            constraints=tuple(config.outcome_bounds()),
            outputs=config.outputs,
            valid=map(Expression, config.evaluate.valid),
            parameters=tuple(config.space),
        )

    def _run(self, params: Params) -> Result:
        """What the study's command comes to, in a folder of its own; this process has its limits."""
        evaluate = self._config.evaluate
        env = {**evaluate.env, **{name: os.environ[name] for name in _KEPT}}
        evaluate = evaluate.model_copy(update={"timeout_s": None, "memory_bytes": None, "env": env})
        attempt = Path(os.environ["ASKTELL_DIR"])
        directory = attempt / "command"
        directory.mkdir(exist_ok=True)
        task = Task(int(os.environ["ASKTELL_TRIAL"]), int(os.environ["ASKTELL_ATTEMPT"]), params, "")
        with evaluator_of(self._config.model_copy(update={"evaluate": evaluate}), attempt) as evaluator:
            if evaluate.checkpoint_signal is not None:
                signal.signal(signal.Signals[evaluate.checkpoint_signal], lambda *_: evaluator.warn())
            found = evaluator.run(task, directory)
        print(found.outcome.log_tail, end="")
        if found.outcome.status is not Status.COMPLETED:
            raise TrialError(found.outcome.error)
        return Result(dict(found.outcome.values), dict(found.arrays), dict(found.outcome.coords))

    def _row(self, params: Params, result: Result, folder: Path) -> xr.Dataset:
        """The result as `asktell.open` will show it: written to a store of one row, and opened."""
        spool = Spool(folder, "row")
        metrics = MetricsTail(Path(os.environ[FILE_VARIABLE]))
        metrics.read()
        outcome = Outcome(
            Status.COMPLETED,
            values=result.values,
            arrays={
                name: encode_output(name, array.data, array.dims, array.attrs, spool)
                for name, array in result.arrays.items()
            },
            coords=result.coords,
            metrics=metrics.kept,
        )
        store = Store(folder, Layout.from_config(self._config))
        store.set_schema(schema_of(outcome, at=0.0))
        store.append(Row(Trial(int(os.environ["ASKTELL_TRIAL"]), params), 0, outcome, time.time()))
        store.publish()
        return open_results(folder).isel(trial=0)


def _labelled(array: Array, coords: dict[str, CoordRecord]) -> xr.DataArray:
    labels = {
        name: (coord.dims, list(coord.values), dict(coord.attrs))
        for name, coord in coords.items()
        if set(coord.dims) <= set(array.dims)
    }
    return xr.DataArray(array.data, dims=array.dims, coords=labels, attrs=dict(array.attrs))
