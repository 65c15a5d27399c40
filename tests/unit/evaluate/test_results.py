import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from asktell.config import ResultConfig
from asktell.errors import TrialError
from asktell.evaluate import child
from asktell.evaluate.results import from_object, read_command, read_returned

NUMBERS = st.floats() | st.integers(-(2**60), 2**60) | st.booleans()


@given(st.dictionaries(st.text(), NUMBERS | st.lists(NUMBERS, min_size=1, max_size=5), max_size=5))
def test_what_a_function_returns_is_what_the_worker_reads(
    tmp_path_factory: pytest.TempPathFactory, returned: dict[str, Any]
) -> None:
    directory = tmp_path_factory.mktemp("attempt")
    child.write_returned(returned, directory)
    for read in (read_returned(directory), from_object(returned)):
        assert read.values.keys() | read.arrays.keys() == returned.keys()
        for name, value in read.values.items():
            np.testing.assert_equal(value, float(returned[name]))
        for name, array in read.arrays.items():
            np.testing.assert_equal(array.data, np.asarray(returned[name]))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, "the result is None.*forget to return"),
        ({"y": None}, "'y' is None"),
        ("3", "the result is '3'"),
        ({"y": {"a": 1}}, "'y' is .*not a number"),
        ({1: 2.0}, "a key 1"),
        ({"y": [[1], [1, 2]]}, "is no array"),
        ({"y": np.array(["a"])}, "array of <U1"),
        ({"y": np.datetime64("2026-01-01")}, "array of datetime64"),
        ({"y": 1j}, "'y' is a complex number"),
        ({"y": np.zeros(2, np.longdouble)}, "up to 8 bytes a part"),
    ],
)
def test_what_cannot_be_kept_is_refused(returned: object, message: str) -> None:
    with pytest.raises(TrialError, match=message):
        from_object(returned)


def test_labelled_results_keep_their_labels() -> None:
    times = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[ns]")
    array = xr.DataArray(
        np.eye(2),
        dims=("time", "f"),
        coords={"time": times, "f": ("f", [1.5, 2.5], {"units": "Hz"})},
        name="m",
    )
    result = from_object(array.assign_attrs(units="V", scale=np.float32(0.5)))
    assert result.arrays["m"].dims == ("time", "f")
    assert result.arrays["m"].attrs == {"units": "V", "scale": 0.5}
    assert result.coords["f"].values == (1.5, 2.5)
    assert result.coords["f"].attrs == {"units": "Hz"}
    assert result.coords["time"].values[0].startswith("2026-01-01")
    assert from_object(xr.Dataset({"y": 2, "m": array})).values == {"y": 2.0}


def test_a_commands_results_come_from_everywhere(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text('{"y": 1, "bad": null, "m": [[1, 2], [3, null]], "ok": true}')
    (tmp_path / "stdout").write_text("gain = 1.0\nother\ngain = 2.5D-3\n")
    np.save(tmp_path / "a.npy", np.arange(3))
    np.savez(tmp_path / "b.npz", only=np.float64(4.0))
    array = xr.DataArray(np.ones(2), dims="f", coords={"f": [10.0, 20.0]}, attrs={"units": "V"})
    xr.Dataset({"v": array, "w": 3.0}).to_netcdf(tmp_path / "c.nc", engine="scipy")
    config = ResultConfig(
        json_file="out.json",
        arrays={"a": "a.npy", "b": "b.npz", "c": "c.nc[v]", "w": "c.nc"},
        stdout={"gain": r"^gain = (\S+)$"},
    )
    result = read_command(tmp_path, config)
    assert math.isnan(result.values.pop("bad"))
    assert result.values == {"y": 1.0, "ok": 1.0, "b": 4.0, "w": 3.0, "gain": 0.0025}
    np.testing.assert_equal(result.arrays["m"].data, [[1, 2], [3, np.nan]])
    np.testing.assert_equal(result.arrays["a"].data, [0, 1, 2])
    assert (result.arrays["c"].dims, result.arrays["c"].attrs) == (("f",), {"units": "V"})
    assert result.coords["f"].values == (10.0, 20.0)


@pytest.mark.parametrize(
    ("content", "config", "message"),
    [
        (None, {}, "left no result.json"),
        ("{", {}, "is no JSON"),
        ('{"y": "high"}', {}, "'y' is 'high'"),
        ('{"y": [[1], [1, 2]]}', {}, "unequal lengths"),
        ('{"y": 1}', {"arrays": {"m": "m.npy"}}, "left no m.npy"),
        ('{"y": 1}', {"arrays": {"m": "stdout"}}, "use .npy, .npz or .nc"),
        ('{"y": 1}', {"arrays": {"m": "two.npz"}}, "holds no 'm', only a, b"),
        ('{"y": 1}', {"arrays": {"m": "objects.npy"}}, "cannot be read"),
        ('{"y": 1}', {"stdout": {"gain": "gain=(.*)"}}, "no match for 'gain'"),
        ('{"y": 1}', {"stdout": {"gain": "(.*)ly"}}, "'slow', which is no number"),
    ],
)
def test_missing_and_damaged_results_are_named(
    tmp_path: Path, content: str | None, config: dict[str, Any], message: str
) -> None:
    (tmp_path / "stdout").write_text("slowly\n")
    np.savez(tmp_path / "two.npz", a=1, b=2)
    np.save(tmp_path / "objects.npy", np.array([{}]))
    if content is not None:
        (tmp_path / "result.json").write_text(content)
    with pytest.raises(TrialError, match=message):
        read_command(tmp_path, ResultConfig(**config))


def test_errors_are_one_line_then_the_end_of_the_traceback() -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        raise RuntimeError("x" * 10_000)

    try:
        deep(30)
    except RuntimeError as error:
        text = child.explain(error)
    assert text.startswith("RuntimeError: xxx")
    assert len(text.encode()) <= 4000


def test_an_unknown_function_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evaluate_unit_module.py").write_text("def evaluate(): ...\ndef other(): ...\n")
    with pytest.raises(ValueError, match="no function 'evalute'; it has: evaluate, other"):
        child.load("evaluate_unit_module.py:evalute", tmp_path)
    assert child.load("evaluate_unit_module:other", tmp_path).__name__ == "other"


def test_the_json_of_a_result_is_complete_or_absent(tmp_path: Path) -> None:
    child.write_returned({"y": 1.0}, tmp_path)
    assert json.loads((tmp_path / child.RETURNED_JSON).read_text())["values"] == {"y": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == [child.RETURNED_JSON]
