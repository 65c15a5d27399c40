from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from asktell.config import OutputConfig
from asktell.errors import TrialError
from asktell.evaluate.checks import check
from asktell.evaluate.results import Array, Result
from asktell.expression import Expression


def checked(result: Result, **changes: Any) -> Result:
    arguments: dict[str, Any] = {
        "objectives": ["y"],
        "constraints": (),
        "outputs": {},
        "valid": (),
        "parameters": {"x", "max_angle"},
    }
    return check(result, {"x": 0.5}, **(arguments | changes))


def with_array(data: Any, *dims: str) -> Result:
    return Result({"y": 1.0}, {"m": Array(np.asarray(data), dims)})


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        ({}, {}, "'y' is not in the result, which holds nothing"),
        ({"yy": 1.0}, {}, "did you mean 'yy'"),
        ({"y": float("inf")}, {}, "'y' is inf"),
        ({"": 1.0}, {"objectives": ["y", "z"]}, "one number, but y, z are needed"),
        ({"": 1.0}, {"constraints": ["density"]}, "one number, but y, density are needed"),
        ({"y": 1.0}, {"constraints": ["density"]}, "'density' is not in the result"),
        ({"y": 1.0, "x": 0.5}, {}, "'x' has a parameter's name"),
        ({"y": 1.0, "status": 0.5}, {}, "'status' is a name that the store uses"),
        ({"y": 1.0}, {"valid": [Expression("0 < y < x")]}, r"0 < y < x does not hold \(x = 0.5, y = 1.0\)"),
        ({"y": 1.0}, {"valid": [Expression("density < 1")]}, "'density' is not in the result"),
    ],
)
def test_what_is_no_result_says_why(values: dict[str, float], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrialError, match=message):
        checked(Result(values), **changes)


def test_a_single_number_is_the_objective() -> None:
    assert checked(Result({"": 2.0})).values == {"y": 2.0}


def test_valid_conditions_over_inactive_parameters_hold() -> None:
    assert checked(
        Result({"y": 1.0}), valid=[Expression("max_angle < 3")], parameters={"max_angle"}
    ).values == {"y": 1.0}


@pytest.mark.parametrize(
    ("result", "output", "message"),
    [
        (Result({"y": 1.0}), {}, "output 'm' is not in the result"),
        (Result({"y": 1.0, "m": 2.0}), {"dims": ["roi"]}, "came as a single number"),
        (with_array([1.0, 2.0]), {"dims": ["a", "b"]}, r"shape \(2,\), not the 2 dims a, b"),
        (with_array([1.0, 2.0], "c"), {"dims": ["a"]}, "has dims c, but a were declared"),
        (with_array([1.0, 2.0]), {"shape": [3]}, r"shape \(2,\), but \(3,\) was declared"),
        (with_array([1.5]), {"dtype": "int32"}, "does not go into int32"),
        (with_array([2**40]), {"dtype": "int32"}, "holds 1099511627776"),
        (with_array([1e300]), {"dtype": "float32"}, r"holds 1e\+300"),
        (with_array([1.0, 2.0]), {"dims": ["a"], "coords": {"a": [1, 2, 3]}}, "2 positions along a"),
        (with_array(["a"]), {}, "is of type <U1"),
    ],
)
def test_outputs_are_what_was_declared(result: Result, output: dict[str, Any], message: str) -> None:
    with pytest.raises(TrialError, match=message):
        checked(result, outputs={"m": OutputConfig(**output)})


def test_dimensions_come_in_the_declared_order() -> None:
    result = with_array([[1, 2, 3], [4, 5, 6]], "a", "b")
    array = checked(result, outputs={"m": OutputConfig(dims=["b", "a"], units="mm")}).arrays["m"]
    assert (array.dims, array.attrs) == (("b", "a"), {"units": "mm"})
    np.testing.assert_array_equal(array.data, [[1, 4], [2, 5], [3, 6]])


@given(
    data=stn.arrays(
        stn.scalar_dtypes().filter(lambda it: it.kind in "biufc" and it.itemsize <= 8), stn.array_shapes()
    ),
    dtype=st.sampled_from(["int8", "int64", "uint8", "float32", "float64", "complex64"]),
)
def test_a_cast_loses_digits_at_most(data: np.ndarray[Any, Any], dtype: str) -> None:
    try:
        array = checked(with_array(data), outputs={"m": OutputConfig(dtype=dtype)}).arrays["m"]
    except TrialError:
        return
    assert array.data.dtype == dtype
    assert array.data.dtype.byteorder in "<=|"
    rtol = 1e-6 if dtype in ("float32", "complex64") else 0.0
    np.testing.assert_allclose(array.data, data, rtol=rtol, atol=1e-37 if rtol else 0.0)
