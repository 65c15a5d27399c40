"""Test functions against their published minima, and the best that a plain search finds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asktell.simulation.functions import FUNCTIONS, TestFunction

MINIMISERS = {
    "branin": [-math.pi, 12.275],
    "hartmann3": [0.114614, 0.555649, 0.852547],
    "hartmann6": [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573],
    "ackley10": [0.0] * 10,
    "rosenbrock4": [1.0] * 4,
    "levy8": [1.0] * 8,
    "michalewicz5": [2.202906, 1.570796, 1.284992, 1.923058, 1.720470],
    "griewank6": [0.0] * 6,
    "styblinski6": [-2.903534] * 6,
    "failing-branin": [-math.pi, 12.275],
    "constrained-branin": [math.pi, 2.275],
}


@pytest.mark.parametrize("name", MINIMISERS)
def test_the_published_minimiser_has_the_optimum(name: str) -> None:
    function = FUNCTIONS[name]
    params = dict(zip(function.space.names, MINIMISERS[name], strict=True))
    values = function.evaluate(params, np.random.default_rng(0))
    assert values is not None
    assert function.regret(params, values["loss"]) < 2e-5
    assert all(low <= values[key] <= high for key, (low, high) in function.bounds.items())


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_nothing_is_better_than_the_optimum(function: TestFunction) -> None:
    rng = np.random.default_rng(1)
    for params in function.space.sample(rng, 200):
        values = function.evaluate(params, rng)
        if values is None:
            continue
        assert set(values) == {*function.objectives, *function.bounds}
        if function.optimum is not None and function.exact is None:
            feasible = all(low <= values[key] <= high for key, (low, high) in function.bounds.items())
            assert values["loss"] >= function.optimum - 1e-9 or not feasible


def test_the_mixed_function_has_its_optimum_in_the_plain_category() -> None:
    mixed = FUNCTIONS["mixed"]
    rng = np.random.default_rng(0)
    assert mixed.evaluate({"x1": 0.0, "x2": 0.0, "n": 3, "kind": "plain"}, rng) == {"loss": pytest.approx(0)}
    others = mixed.evaluate({"x1": 0.5, "x2": -0.5, "n": 3, "kind": "shifted"}, rng)
    assert others == {"loss": pytest.approx(0.5)}


def test_zdt1_front_is_where_all_but_the_first_are_zero() -> None:
    zdt1 = FUNCTIONS["zdt1"]
    params = dict.fromkeys(zdt1.space.names, 0.0) | {"x1": 0.25}
    assert zdt1.evaluate(params, np.random.default_rng(0)) == {"f1": 0.25, "f2": pytest.approx(0.5)}


def test_c2dtlz2_allows_the_middle_and_the_corners_of_the_front_only() -> None:
    function = FUNCTIONS["c2dtlz2"]
    middle = dict.fromkeys(function.space.names, 0.5)
    allowed = function.evaluate(middle, np.random.default_rng(0))
    refused = function.evaluate(middle | {"x1": 0.25}, np.random.default_rng(0))
    assert allowed is not None
    assert refused is not None
    assert allowed["violation"] < 0 < refused["violation"]
    assert math.hypot(allowed["f1"], allowed["f2"]) == pytest.approx(1)
