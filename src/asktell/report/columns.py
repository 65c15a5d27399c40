"""What the report's table shows: a column for whatever each trial has one value of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.analysis.points import values
from asktell.plots import style
from asktell.store.table import BOOKKEEPING

INFEASIBLE = "infeasible"
"""Completed, but outside the constraints: no candidate for the best."""


@dataclass(frozen=True, slots=True)
class Column:
    """values: (n,) numbers, texts or None; name: as the dataset has it; is_sought: free text finds it."""

    name: str
    label: str
    values: Sequence[Any]
    is_sought: bool = True

    @property
    def is_number(self) -> bool:
        return not any(isinstance(value, str) for value in self.values)


def columns(ds: xr.Dataset) -> list[Column]:
    """Trial, outcome, results, parameters, then what became of it; in the dataset's order of trials."""
    return [
        Column("trial", "trial", ds["trial"].values.tolist()),
        Column("outcome", "outcome", outcomes(ds).tolist()),
        *(Column(name, style.label(name, ds[name].attrs), _plain(ds[name].values)) for name in results(ds)),
        *(Column(name, style.label(name, ds[name].attrs), values(ds, name)) for name in facts.varied(ds)),
        Column("cause", "cause", causes(ds)),
        Column("error", "error", ds["error"].values.tolist()),
        Column("duration", "duration (s)", _plain(ds["duration"].values), is_sought=False),
        Column("n_attempts", "attempts", ds["n_attempts"].values.tolist(), is_sought=False),
        Column("origin", "origin", ds["origin"].values.tolist()),
        Column("host", "host", ds["host"].values.tolist()),
        Column("job", "job", ds["job"].values.tolist()),
        Column("ended_at", "ended (UTC)", _moments(ds["told_at"].values)),
    ]


def results(ds: xr.Dataset) -> list[str]:
    """The objectives, and what else is a number of each trial, last values of metrics included."""
    known = {variable.name for variable, _ in BOOKKEEPING} | {"feasible", *facts.signs(ds)}
    known |= {f"{name}_code" for name in facts.space(ds).parameters}
    others = (
        str(name) for name, item in ds.data_vars.items() if item.dims == ("trial",) and item.dtype.kind == "f"
    )
    return [*facts.signs(ds), *(name for name in others if name not in known)]


def outcomes(ds: xr.Dataset) -> NDArray[np.object_]:
    """(n,) completed, infeasible, failed or cancelled."""
    found = np.array([str(status) for status in facts.STATUSES], dtype=object)[ds["status"].values]
    found[facts.is_completed(ds) & ~facts.is_candidate(ds)] = INFEASIBLE
    return np.asarray(found, dtype=object)


def causes(ds: xr.Dataset) -> list[str]:
    """Why each trial brought no result; '' where it did."""
    return [str(facts.CAUSES[code]) for code in ds["cause"].values]


def _plain(values: NDArray[Any]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _moments(times: NDArray[np.datetime64]) -> list[str]:
    texts = np.datetime_as_string(times, unit="s")
    return ["" if text == "NaT" else str(text).replace("T", " ") for text in texts]
