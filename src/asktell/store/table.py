"""The view in memory: which variables there are, and what each row says in them.

    trial, parameters                coordinates
    objectives, other results        float64, NaN unless the trial completed
    metric_<name>                    the last value that was logged, whatever became of the trial
    outputs                          (trial, *dims), filled with NaN or 0 unless the trial completed
    status, cause, times, ...        the table below

A name that is taken already is stored with what it is in front: `result_duration`, `output_status`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asktell.errors import StoreError
from asktell.records import SchemaSet
from asktell.store import cf
from asktell.store.encoding import TEXT, chunk_name, fill_of, text
from asktell.store.layout import Kind, Layout, OutputLayout, ParameterLayout
from asktell.store.outputs import chunk_shape, decode_inline, is_inline
from asktell.store.rows import Row
from asktell.store.variables import TRIAL, Column, Coordinate, Variable, column_variable
from asktell.trial import ArrayRecord, Cause, ChunkRecord, CoordRecord, Status

logger = logging.getLogger(__name__)

_STATUSES = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
_CAUSES = tuple(Cause)
_TIME = {"units": cf.MICROSECONDS, "calendar": "proleptic_gregorian"}


def _time(name: str, description: str, get: Callable[[Row], float]) -> tuple[Variable, Callable[[Row], Any]]:
    variable = column_variable(name, "int64", {"long_name": description, **_TIME}, fill=cf.NOT_A_TIME)
    return variable, lambda row: round(get(row) * 1e6) if get(row) else cf.NOT_A_TIME


def _number(
    name: str, dtype: str, description: str, get: Callable[[Row], Any], **attrs: Any
) -> tuple[Variable, Callable[[Row], Any]]:
    return column_variable(name, dtype, {"long_name": description, **attrs}), get


def _text(name: str, description: str, get: Callable[[Row], str]) -> tuple[Variable, Callable[[Row], Any]]:
    return column_variable(name, str, {"long_name": description}), lambda row: text(get(row))


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


BOOKKEEPING: Sequence[tuple[Variable, Callable[[Row], Any]]] = (
    (
        column_variable(TRIAL, "int64", {"long_name": "trial number"}, fill=-1, is_coordinate=True),
        lambda row: row.trial.number,
    ),
    _number(
        "status",
        "int8",
        "how the trial ended",
        lambda row: _STATUSES.index(row.outcome.status),
        **cf.flags(_STATUSES),
    ),
    _number(
        "cause",
        "int8",
        "why it brought no result",
        lambda row: _CAUSES.index(row.outcome.cause),
        **cf.flags(_CAUSES),
    ),
    _number("attempt", "int32", "attempt that ended the trial, from 0", lambda row: row.attempt),
    _time("asked_at", "proposal", lambda row: row.trial.asked_at),
    _time("submitted_at", "submission of the last attempt", lambda row: row.submitted_at),
    _time("started_at", "start of the evaluation", lambda row: row.outcome.started_at),
    _time("ended_at", "end of the evaluation", lambda row: row.outcome.ended_at),
    _time("told_at", "result in the driver's journal", lambda row: row.told_at),
    _number(
        "duration", "float64", "duration of the evaluation", lambda row: row.outcome.duration_s, units="s"
    ),
    _number("ask_duration", "float64", "time that the proposal took", lambda row: row.trial.ask_s, units="s"),
    _text("host", "host of the evaluation", lambda row: row.outcome.host),
    _text("worker", "worker of the evaluation", lambda row: row.outcome.worker),
    _text("job", "batch job of the worker", lambda row: row.outcome.job),
    _number("n_attempts", "int32", "attempts of the trial", lambda row: row.n_attempts),
    _number("n_lost", "int32", "attempts that were lost", lambda row: len(row.lost)),
    _text("lost_causes", "why attempts were lost, in order", lambda row: ",".join(row.lost)),
    _text(
        "attempt_jobs",
        "batch jobs of all attempts, in order",
        lambda row: ",".join(row.jobs) if any(row.jobs) else "",
    ),
    _text(
        "earlier_attempts",
        "attempts that did not end the trial, in the order of their ends (JSON; times in s)",
        lambda row: json.dumps([asdict(attempt) for attempt in row.earlier]) if row.earlier else "",
    ),
    _number(
        "exit_code", "float64", "exit code, or minus a signal", lambda row: _or_nan(row.outcome.exit_code)
    ),
    _text("error", "what went wrong", lambda row: row.outcome.error),
    _text("origin", "where the point came from", lambda row: row.trial.origin),
    _text("engine", "engine that proposed the point", lambda row: row.trial.engine),
    _number("acquisition", "float64", "acquisition value", lambda row: _or_nan(row.trial.acquisition)),
    _number("staleness", "int32", "trials pending at the proposal", lambda row: len(row.trial.pending)),
    _number("told", "int32", "trials told before the proposal", lambda row: row.trial.told),
    _text("pending", "numbers pending at the proposal", lambda row: ",".join(map(str, row.trial.pending))),
    _text(
        "proposal_details",
        "what the engine kept of the proposal (JSON)",
        lambda row: json.dumps(dict(row.trial.details)) if row.trial.details else "",
    ),
)


MAX_METRICS = 200
"""Variables for metrics; a name for every step would make a folder for every step."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a chunk of a large output belongs: path inside the view."""

    path: str
    row: int
    chunk: ChunkRecord


class Table:
    """All rows so far, by column. Owned by one thread."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.n_rows = 0
        self.columns: dict[str, Column] = {}
        self.large: dict[str, Variable] = {}
        self.coordinates: dict[str, Coordinate] = {}
        self.schema: SchemaSet | None = None
        self._names: dict[tuple[str, str], str] = {}
        self._small: dict[str, str] = {}
        for variable, _ in BOOKKEEPING:
            self.columns[variable.name] = Column(variable)
        self._add(column_variable("feasible", "int8", _FEASIBLE, fill=-1))
        for parameter in layout.parameters:
            self._add_parameter(parameter)
        for objective in layout.objectives:
            attrs = cf.described(objective.units, objective.description, direction=objective.direction)
            self._add_result(objective.name, attrs)
        for name in layout.bounds:
            self._result(name)

    def append(self, row: Row) -> list[Placement]:
        """Take the next row; returns where the chunks of its large outputs belong."""
        number, self.n_rows = self.n_rows, self.n_rows + 1
        for variable, get in BOOKKEEPING:
            self.columns[variable.name].put(number, get(row))
        self.columns["feasible"].put(number, self._feasible(row))
        for parameter in self.layout.parameters:
            self._put_parameter(number, parameter, row)
        for name, value in {name: value for _, name, value in row.outcome.metrics}.items():
            if (column := self._metric(name)) is not None:
                column.put(number, value)
        if not row.is_completed:
            return []
        for name, value in row.outcome.values.items():
            self._result(name).put(number, float(value))
        return [
            place
            for name, array in row.outcome.arrays.items()
            for place in self._put_array(number, name, array)
        ]

    def set_schema(self, schema: SchemaSet) -> None:
        """Add the outputs' variables. Raises StoreError for a second schema that differs."""
        if self.schema is not None:
            if (self.schema.arrays, self.schema.coords) != (schema.arrays, schema.coords):
                raise StoreError("the outputs' schema was set before and differs; run `asktell verify`")
            return
        self.schema = schema
        sizes: dict[str, int] = {TRIAL: -1}
        for name, array in schema.arrays.items():
            self._add_output(name, array, sizes)
        declared = {
            dim: CoordRecord((dim,), tuple(values))
            for output in self.layout.outputs.values()
            for dim, values in output.coords.items()
        }
        for name, record in {**declared, **schema.coords}.items():
            self._add_coordinate(name, record, sizes)

    def variables(self) -> Iterator[Variable]:
        """Everything along `trial`."""
        yield from (column.variable for column in self.columns.values())
        yield from self.large.values()

    def metadata(self, n_rows: int) -> dict[str, dict[str, Any]]:
        """Each variable's zarr.json, by name, for a view of `n_rows` rows."""
        return {
            **{variable.name: variable.metadata(n_rows) for variable in self.variables()},
            **{name: coordinate.metadata() for name, coordinate in self.coordinates.items()},
        }

    def attrs(self) -> dict[str, Any]:
        """The view's own attributes."""
        named = [variable.name for variable in self.variables() if variable.is_coordinate]
        others = [name for name in (*named, *self.coordinates) if name != TRIAL]
        return {**self.layout.attrs, **({"coordinates": " ".join(others)} if others else {})}

    @property
    def small(self) -> list[Column]:
        """Columns of outputs that share chunks: large enough for memory to matter."""
        return [self.columns[name] for name in self._small.values()]

    # ---- names ---------------------------------------------------------------------------------

    def _name(self, kind: str, name: str) -> str:
        """What the view calls it; the same for the same kind and name."""
        if (kind, name) not in self._names:
            wanted = cf.variable_name(f"metric_{name}" if kind == "metric" else name)
            while wanted in self.columns or wanted in self.large or wanted in self.coordinates:
                wanted = f"{kind}_{wanted}"
            self._names[kind, name] = wanted
        return self._names[kind, name]

    def _add(self, variable: Variable) -> Column:
        self.columns[variable.name] = column = Column(variable)
        return column

    # ---- parameters ----------------------------------------------------------------------------

    def _add_parameter(self, parameter: ParameterLayout) -> None:
        name = self._name("parameter", parameter.name)
        attrs = cf.described(parameter.units, parameter.description)
        if parameter.kind is Kind.CHOICE:
            choices = [text(choice) for choice in parameter.choices]
            self._add(column_variable(name, str, attrs, is_coordinate=True))
            code = self._name("parameter", f"{parameter.name}_code")
            about = {"long_name": f"{parameter.name} as a number, -1 where inactive", **cf.flags(choices)}
            self._add(column_variable(code, "int32", about, fill=-1))
            return
        dtype = {Kind.REAL: "float64", Kind.INTEGER: "int64", Kind.BOOLEAN: "bool"}[parameter.kind]
        # Only floats can say that there is no value without looking like one.
        self._add(
            column_variable(name, "float64" if parameter.is_conditional else dtype, attrs, is_coordinate=True)
        )

    def _put_parameter(self, number: int, parameter: ParameterLayout, row: Row) -> None:
        if parameter.name not in row.trial.params:
            return
        value = row.trial.params[parameter.name]
        column = self.columns[self._name("parameter", parameter.name)]
        if parameter.kind is Kind.CHOICE:
            column.put(number, text(value))
            code = self.columns[self._name("parameter", f"{parameter.name}_code")]
            code.put(number, parameter.choices.index(value) if value in parameter.choices else -1)
        else:
            column.put(number, value)

    # ---- results -------------------------------------------------------------------------------

    def _add_result(self, name: str, attrs: Mapping[str, Any]) -> Column:
        low, high = self.layout.bounds.get(name, (-np.inf, np.inf))
        bounds = {"constraint_low": float(low), "constraint_high": float(high)}
        about = {key: value for key, value in bounds.items() if np.isfinite(value)}
        return self._add(column_variable(self._name("result", name), "float64", {**attrs, **about}))

    def _result(self, name: str) -> Column:
        if ("result", name) not in self._names:
            return self._add_result(name, {})
        return self.columns[self._names["result", name]]

    def _metric(self, name: str) -> Column | None:
        """The metric's column; None beyond the most that a view can bear, the journal has them all."""
        if ("metric", name) not in self._names:
            if sum(kind == "metric" for kind, _ in self._names) >= MAX_METRICS:
                return None
            about = {"long_name": f"last value logged as {name}"}
            return self._add(column_variable(self._name("metric", name), "float64", about))
        return self.columns[self._names["metric", name]]

    def _feasible(self, row: Row) -> int:
        if not row.is_completed or not self.layout.bounds.keys() <= row.outcome.values.keys():
            return -1
        values = row.outcome.values
        return int(all(low <= values[name] <= high for name, (low, high) in self.layout.bounds.items()))

    # ---- outputs -------------------------------------------------------------------------------

    def _add_output(self, name: str, array: ArrayRecord, sizes: dict[str, int]) -> None:
        dims = tuple(
            _dimension(dim, name, size, sizes) for dim, size in zip(array.dims, array.shape, strict=True)
        )
        about = self.layout.outputs.get(name, OutputLayout(name))
        dtype = np.dtype(array.dtype)
        attrs = {**cf.safe_attrs(array.attrs), **cf.described(about.units, about.description)}
        if dtype.kind in "biu":
            attrs["comment"] = "0 where status is not completed"
        own = self._name("output", name)
        if own in dims:  # to xarray a variable of that name can only be the dimension's coordinate
            own = self._names["output", name] = self._name("output", f"output_{name}")
        variable = Variable(own, dtype, attrs, fill_of(dtype), dims, array.shape, chunk_shape(array))
        if is_inline(array):
            self._small[name] = own
            self._add(variable)
        else:
            self.large[own] = variable

    def _put_array(self, number: int, name: str, array: ArrayRecord) -> list[Placement]:
        expected = self.schema.arrays.get(name) if self.schema else None
        if expected is None or (expected.dtype, expected.shape) != (array.dtype, array.shape):
            logger.warning(
                "row %d: output '%s' is not what this study stores; only the journal has it", number, name
            )
            return []
        own = self._names["output", name]
        if own in self.large:
            return [
                Placement(f"{own}/{chunk_name(number, *chunk.key)}", number, chunk) for chunk in array.chunks
            ]
        self.columns[own].put(number, decode_inline(array))
        return []

    def _add_coordinate(self, name: str, record: CoordRecord, sizes: Mapping[str, int]) -> None:
        values = _coordinate_values(record.values)
        dims = tuple(map(cf.variable_name, record.dims))
        shape = tuple(sizes.get(dim, -1) for dim in dims)
        if values is None or int(np.prod(shape)) != values.size or -1 in shape:
            logger.warning("coordinate '%s' does not fit the outputs' dimensions and is left out", name)
            return
        own = dims[0] if (name,) == record.dims else self._name("coordinate", name)
        if own in self.columns or own in self.large:
            logger.warning("coordinate '%s' would hide the variable of that name and is left out", name)
            return
        self.coordinates[own] = Coordinate(own, dims, values.reshape(shape), cf.safe_attrs(record.attrs))


_FEASIBLE = {
    "long_name": "outcome constraints hold",
    **cf.flags(("unknown", "infeasible", "feasible"), first=-1),
}


def _dimension(dim: str, output: str, size: int, sizes: dict[str, int]) -> str:
    """The dimension's name in the view, where one name has one size and `trial` is taken."""
    name = cf.variable_name(dim)
    while sizes.setdefault(name, size) != size:
        name = f"{output}_{name}"
    return name


def _coordinate_values(values: Sequence[Any]) -> np.ndarray[Any, Any] | None:
    if all(isinstance(value, str) for value in values):
        return np.array([text(value) for value in values], dtype=TEXT)
    array = np.array(values)
    return array if array.dtype.kind in "biuf" else np.array([text(value) for value in values], dtype=TEXT)
