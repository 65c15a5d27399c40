"""Studies whose results are written straight into a store: many trials, losses and outputs in no time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import asktell
from asktell.config import parse
from asktell.records import SchemaSet
from asktell.store import Layout, Row, Spool, Store, encode_output
from asktell.store.rows import Earlier
from asktell.trial import Cause, Origin, Outcome, Status, Trial

BEGUN_AT = 1.8e9
Evaluate = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., xr.Dataset]:
    """make_study(space, evaluate, ...): an opened study; see `write_study`."""

    def make(space: Mapping[str, Any], evaluate: Evaluate, name: str = "study", **options: Any) -> xr.Dataset:
        write_study(tmp_path / name, space, evaluate, **options)
        return asktell.open(tmp_path / name)

    return make


def write_study(
    path: Path,
    space: Mapping[str, Any],
    evaluate: Evaluate,
    *,
    trials: int = 40,
    workers: int = 3,
    objectives: Mapping[str, Any] | None = None,
    constraints: tuple[str, ...] = (),
    seed: int = 0,
    loses: float = 0.0,
    cpus: int = 1,
) -> None:
    """Random points on workers that take the next one at once.

    evaluate: results and arrays by name, 'duration' among them (default 60 s); raising is failing, and with
    'told' somebody told the values.
    loses: the share of attempts that are lost half way; the next one is on the same worker.
    """
    study = {
        "evaluate": {"command": ["true"]},
        "space": dict(space),
        "objectives": dict(objectives or {"loss": "minimize"}),
        "constraints": list(constraints),
        "optimizer": {"engine": "gp"},
        "cluster": {"cpus_per_trial": cpus},
    }
    config = parse(study, path)
    rng = np.random.default_rng(seed)
    free = [(BEGUN_AT, worker) for worker in range(workers)]
    running: list[tuple[float, int, Row]] = []
    store, spool = Store(path, Layout.from_config(config)), Spool(path, "worker-h-1-a")
    for number, params in enumerate(config.build_space().sample(rng, trials)):
        at, worker = heapq.heappop(free)
        while running and running[0][0] <= at:
            _append(store, heapq.heappop(running)[2])
        pending = tuple(sorted(row.trial.number for _, _, row in running))
        origin = Origin.INITIAL if number < 10 else Origin.MODEL
        trial = Trial(number, params, origin, pending=pending, told=store.n_rows, asked_at=at, ask_s=0.1)
        where = {"worker": f"tls://node{worker}:1", "host": f"node{worker}", "job": str(100 + worker)}
        try:
            results = dict(evaluate(params))
            status, cause, error = Status.COMPLETED, Cause.NONE, ""
        except ValueError as failure:
            results, status, cause, error = {}, Status.FAILED, Cause.OBJECTIVE_ERROR, str(failure)
        took = float(results.pop("duration", 60.0))
        if results.pop("told", False):
            where = dict.fromkeys(where, "")
        earlier: tuple[Earlier, ...] = ()
        if rng.random() < loses:
            end = at + took / 2
            earlier = (Earlier(0, **where, ended_at=end, ran_s=took / 2, cause=Cause.WALLTIME, is_lost=True),)
            at = end + 30.0
        arrays = {
            name: encode_output(
                name, value, tuple(f"{name}_{axis}" for axis in "xyz"[: value.ndim]), {}, spool
            )
            for name, value in results.items()
            if isinstance(value, np.ndarray)
        }
        values = {name: float(value) for name, value in results.items() if name not in arrays}
        outcome = Outcome(
            status, cause, error, values, arrays, started_at=at, ended_at=at + took, duration_s=took, **where
        )  # fmt: skip
        lost = tuple(attempt.cause for attempt in earlier)
        row = Row(trial, len(earlier), outcome, at + took, at, len(earlier) + 1, lost=lost, earlier=earlier)
        heapq.heappush(running, (at + took, number, row))
        heapq.heappush(free, (at + took + 1.0, worker))
    while running:
        _append(store, heapq.heappop(running)[2])
    store.close()


def _append(store: Store, row: Row) -> None:
    if row.outcome.arrays:
        store.set_schema(SchemaSet(_schema(row.outcome), {}, 0.0))
    store.append(row)


def _schema(outcome: Outcome) -> Any:
    from asktell.study.results import without_bytes

    return without_bytes(outcome).arrays
