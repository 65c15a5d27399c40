"""The view against what was appended, over any number of sessions, publishes and kinds of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from asktell.records import SchemaSet
from asktell.store import Layout, Row, Spool, Store, encode_output
from asktell.store.layout import Kind, ParameterLayout
from asktell.trial import Outcome, Status, Trial

LAYOUT = Layout((ParameterLayout("x", Kind.REAL), ParameterLayout("m", Kind.CHOICE, True, ("a", "b"))))

numbers = st.floats(allow_nan=False, width=64)
outcomes = st.one_of(
    st.builds(
        Outcome,
        status=st.just(Status.COMPLETED),
        values=st.fixed_dictionaries({"objective": numbers}, optional={"extra": numbers, "status": numbers}),
        host=st.text(max_size=5),
    ),
    st.builds(Outcome, status=st.just(Status.FAILED), error=st.text(max_size=9)),
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("row"), outcomes, st.sampled_from([None, "a", "b"])),
        st.tuples(st.just("publish")),
        st.tuples(st.just("new session")),
    ),
    max_size=12,
)


def check(ds: xr.Dataset, rows: list[Row]) -> None:
    assert ds.trial.values.tolist() == [row.trial.number for row in rows]
    assert ds.m.values.tolist() == [row.trial.params.get("m", "") for row in rows]
    assert ds.host.values.tolist() == [row.outcome.host for row in rows]
    for name, stored in (("objective", "objective"), ("extra", "extra"), ("status", "result_status")):
        wanted = [row.outcome.values.get(name, np.nan) for row in rows]
        if stored in ds:
            np.testing.assert_array_equal(ds[stored], wanted)
        else:
            assert np.isnan(wanted).all()
    for name in {"small", "large"} & set(ds.variables):
        for number, row in enumerate(rows):
            wanted = row.trial.number if row.is_completed else np.nan
            np.testing.assert_array_equal(ds[name][number, [0, -1]], wanted)


@settings(max_examples=10, deadline=None)
@given(actions)
def test_the_view_says_what_was_appended(steps: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as name:
        path = Path(name)
        spool = Spool(path, "worker-h-1-a")
        rows: list[Row] = []
        schema: SchemaSet | None = None
        store = Store(path, LAYOUT)
        for step in [*steps, ("publish",)]:
            match step:
                case ("row", Outcome() as outcome, method):
                    number = 100 - len(rows)
                    if outcome.status is Status.COMPLETED:
                        arrays = {
                            output: encode_output(
                                output, np.full(size, float(number)), (output[0],), {}, spool
                            )
                            for output, size in (("small", 9), ("large", 40_000))
                        }
                        outcome = replace(outcome, arrays=arrays)
                        if schema is None:
                            bare = {
                                key: replace(item, inline=None, chunks=()) for key, item in arrays.items()
                            }
                            schema = SchemaSet(bare, {}, 0.0)
                            store.set_schema(schema)
                    params = {"x": 1.0} if method is None else {"x": 1.0, "m": method}
                    rows.append(Row(Trial(number, params), 0, outcome, 5.0))
                    store.append(rows[-1])
                case ("publish",):
                    store.publish()
                    assert store.missing == []
                    check(xr.open_zarr(path / "results.zarr").load(), rows)
                case ("new session",):
                    store = Store(path, LAYOUT)
                    if schema is not None:
                        store.set_schema(schema)
                    for row in rows:
                        store.append(row)
