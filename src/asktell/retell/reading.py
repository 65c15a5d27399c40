"""Calls a function for many trials of a study, on dask workers, each of which reads what it needs itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dask.config
from distributed import Client, wait
from distributed.scheduler import KilledWorker

from asktell.analysis import facts
from asktell.analysis import open as open_results
from asktell.errors import TrialError
from asktell.evaluate import child
from asktell.retell.measure import Measure
from asktell.trial import Cause

_BATCHES_PER_WORKER = 8
_KEEP_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the function made of a trial: values by name, or why there are none."""

    values: Mapping[str, float] = field(default_factory=dict)
    cause: Cause = Cause.NONE
    error: str = ""


def read(
    client: Client, path: Path, measure: Measure, numbers: Sequence[int], keep: Callable[[], None]
) -> dict[int, Told]:
    """What `measure` makes of each of these trials of the study at `path`, by number.

    keep: called now and then while nothing comes: dask gives a worker up that is slow to come back.
    """
    n_workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    size = math.ceil(len(numbers) / (n_workers * _BATCHES_PER_WORKER)) or 1
    found: dict[int, Told] = {}

    def try_all(batches: Sequence[Sequence[int]]) -> list[int]:
        """Read these batches; returns the numbers in those whose worker died."""
        futures = {
            client.submit(read_here, path, measure, batch, pure=False, retries=0): batch for batch in batches
        }
        pending, died = set(futures), list[int]()
        while pending:
            try:
                done, pending = wait(pending, timeout=_KEEP_EVERY_S, return_when="FIRST_COMPLETED")
            except TimeoutError:
                keep()
                continue
            for future in done:
                try:
                    found.update(future.result())
                except KilledWorker:
                    died += futures[future]
        return sorted(died)

    died = try_all([numbers[i : i + size] for i in range(0, len(numbers), size)])
    # Which of them was it? What waited at the same worker has died with it, so the last word is had alone.
    for number in try_all([[number] for number in died]):
        if try_all([[number]]):
            error = f"{measure.target} ended its process: it crashed, or used too much memory"
            found[number] = Told(cause=Cause.OBJECTIVE_ERROR, error=error)
    return found


def read_here(path: Path, measure: Measure, numbers: Sequence[int]) -> dict[int, Told]:
    """The same for some of them, in this process, one after the other."""
    # Reading is this worker's own affair: as a task of the cluster it would wait for the task that asks.
    with dask.config.set(scheduler="synchronous"), open_results(path) as trials:
        rows = {int(number): row for row, number in enumerate(trials["trial"].values)}
        is_whole = facts.has_outputs(trials)
        arrays = [name for name, item in trials.data_vars.items() if item.ndim > 1]
        found = {}
        for number in numbers:
            row, lack = trials.isel(trial=rows[number]), ""
            if arrays and not is_whole[rows[number]]:
                row, lack = row.drop_vars(arrays), "its result was told, so it left no outputs: "
            try:
                found[number] = Told(measure.of(row))
            except TrialError as error:
                found[number] = Told(cause=Cause.INVALID_RESULT, error=f"{lack}{error}")
            except Exception as error:  # noqa: BLE001 - whatever a person's code raises is that trial's failure
                found[number] = Told(cause=Cause.OBJECTIVE_ERROR, error=f"{lack}{child.explain(error)}")
        return found
