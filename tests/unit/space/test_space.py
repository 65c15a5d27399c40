"""A space refuses what makes no sense, and says what to do about it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asktell.errors import SpaceError
from asktell.space import Boolean, Categorical, Constant, Integer, Ordinal, Real, Space


@pytest.fixture
def solver() -> Space:
    return Space(
        {
            "size": Integer(1, 9),
            "solver": Categorical(["lu", "sor", "cg"]),
            "omega": Real(0.1, 1.9, when={"solver": ["sor"]}),
            "preconditioned": Boolean(when={"solver": ["sor", "cg"]}),
            "fill": Ordinal([1, 2, 4], when={"preconditioned": [True], "solver": "cg"}),
            "mesh": Constant("fine"),
        },
        ["fill < size"],
    )


def test_conditions_reach_through_generations(solver):
    assert solver.columns == ("size", "solver", "omega", "preconditioned", "fill")
    assert solver.active({"solver": "lu"}) == ("size", "solver", "mesh")
    assert solver.active({"solver": "cg", "preconditioned": True})[-2:] == ("fill", "mesh")
    assert "fill" not in solver.active({"solver": "sor", "preconditioned": True})
    # A value that an inactive parent carries along does not wake its child.
    assert "fill" not in solver.active({"solver": "lu", "preconditioned": True})


def test_a_point_is_completed_and_made_native(solver):
    point = solver.validate(
        {"size": np.float64(3.0), "solver": np.str_("cg"), "preconditioned": np.bool_(False), "omega": 1.0}
    )
    assert point == {"size": 3, "solver": "cg", "preconditioned": False, "mesh": "fine"}
    assert [type(value) for value in point.values()] == [int, str, bool, str]


def test_a_constraint_over_an_inactive_parameter_is_met(solver):
    assert solver.is_feasible({"size": 1, "solver": "lu", "mesh": "fine"})
    point = {"size": 1, "solver": "cg", "preconditioned": True, "fill": 4, "mesh": "fine"}
    assert solver.violated(point) == ("fill < size",)
    assert not solver.is_feasible(point)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 3.5}, r"size: the value is 3.5; give a whole number"),
        ({"size": True}, r"size: the value is True; give a number"),
        ({"size": 10}, r"size: 10 is above high \(9\); give a value in \[1, 9\]"),
        ({"size": 10**400}, r"size: .* above high"),
        ({"solver": "sorr"}, r"solver: 'sorr' is not among 'lu', 'sor', 'cg'"),
        ({"solver": ["cg"]}, r"solver: \['cg'\] is not among"),
        ({"preconditioned": 1}, r"preconditioned: 1 is not among False, True"),
        ({"mesh": "coarse"}, r"mesh: 'coarse' is not 'fine', its constant value; leave it out"),
        ({"omega": math.nan, "solver": "sor"}, r"omega: the value is nan; give a finite number"),
        ({"omega": "1", "solver": "sor"}, r"omega: the value is '1'; give a number"),
        ({"solver": "sor"}, r"omega is missing; give a value for it"),
        ({"sizes": 3}, r"no parameter 'sizes'; did you mean 'size'\?"),
    ],
)
def test_wrong_points(solver, change, message):
    point = {"size": 3, "solver": "cg", "preconditioned": False}
    with pytest.raises(SpaceError, match=message):
        solver.validate(point | change)


def test_points_that_do_not_fit_have_no_place_in_the_cube(solver):
    good = {"size": 3, "solver": "lu"}
    for bad in (
        {"size": 30, "solver": "lu"},
        {"size": 3},
        {"size": 3, "solver": "x"},
        {"size": "3", "solver": "lu"},
        {"size": 3, "solver": ["lu"]},
    ):
        with pytest.raises(SpaceError, match=r"size|solver"):
            solver.to_unit_many([good, bad])
    with pytest.raises(SpaceError, match="5 columns"):
        solver.from_unit([0.5] * 4)
    with pytest.raises(SpaceError, match="NaN"):
        solver.from_unit([math.nan] * 5)
    assert solver.to_unit_many([]).shape == (0, 5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Real(0.3, 0.05), r"low \(0.3\) is not below high \(0.05\); swap them"),
        (lambda: Real(2, 2), r"both 2.0; write \{type: constant, value: 2.0\}"),
        (lambda: Integer(3, 3), r"both 3; write \{type: constant, value: 3\}"),
        (lambda: Real(0, 1, log=True), r"log needs a positive low"),
        (lambda: Real(math.nan, 1), r"low is nan; give a finite number"),
        (lambda: Real(-1e308, 1e308), r"too wide"),
        (lambda: Integer(0, 2**53 + 1), r"beyond 2\*\*53"),
        (lambda: Integer(-(2**53), 2**53), r"more than"),
        (lambda: Integer(0.5, 3), r"low is 0.5; give a whole number"),
        (lambda: Integer(False, 3), r"low is False; give a number"),
        (lambda: Categorical([]), r"choices is empty"),
        (lambda: Categorical("abc"), r"choices is 'abc'; give a list"),
        (lambda: Categorical(["a", "b", "a"]), r"'a' repeats 'a'"),
        (lambda: Categorical([1, True]), r"True repeats 1"),
        (lambda: Categorical([None]), r"None is no text, number or boolean"),
        (lambda: Ordinal([1.0, math.inf]), r"inf cannot be chosen"),
        (lambda: Boolean(when={}), r"write the parent and its values"),
        (lambda: Boolean(when={"a": []}), r"when.a has no value"),
        (lambda: Space({}), r"nothing to vary"),
        (lambda: Space({"a": Constant(1)}), r"nothing to vary"),
        (lambda: Space({"a-b": Boolean()}), r"'a-b' cannot name a parameter"),
        (lambda: Space({"a": (0, 1)}), r"give a parameter, such as Real"),
        (lambda: Space({"a": Boolean(when={"aa": 1})}), r"a.when: there is no parameter 'aa'"),
        (lambda: Space({"a": Boolean(when={"a": True})}), r"circle"),
        (
            lambda: Space({"a": Boolean(when={"b": True}), "b": Boolean(when={"a": True})}),
            r"circle \(a -> b -> a|circle",
        ),
        (lambda: Space({"a": Real(0, 1), "b": Boolean(when={"a": 0.5})}), r"a is real; a condition needs"),
        (
            lambda: Space({"a": Ordinal([1, 2]), "b": Boolean(when={"a": 3})}),
            r"b.when.a: 3 is not among 1, 2",
        ),
        (lambda: Space({"width": Real(0, 1)}, ["widht < 1"]), r"no parameter 'widht'; did you mean 'width'"),
        (lambda: Space({"a": Real(0, 1)}, ["a + 1"]), r"no condition; compare it"),
        (lambda: Space({"a": Real(0, 1)}, ["a < 'b'"]), r"constraint .*no order"),
        (lambda: Space({"a": Categorical(["lu", "cg"])}, ["a != 'gc'"]), r"'gc' is not among 'lu', 'cg'"),
        (lambda: Space({"a": Ordinal([1, 2])}, ["a in [1, 3]"]), r"3 is not among 1, 2; use one"),
        (lambda: Space({"a": Real(0, 1)}, ["a <"]), r"constraint 'a <' does not parse"),
        (lambda: Space({"a": Real(0, 1)}, "a < 1"), r"give a list of expressions"),
        (
            lambda: Space.from_specification({"parameters": {"a": {"type": "reel"}}}),
            r"a: .*did you mean 'real'",
        ),
        (lambda: Space.from_specification({"parameters": {"a": {"type": "real", "lo": 1}}}), r"a: .*'lo'"),
    ],
)
def test_wrong_spaces(build, message):
    with pytest.raises(SpaceError, match=message):
        build()


def test_a_space_without_feasible_points_says_which_constraint_it_is():
    space = Space({"a": Real(0, 1), "b": Real(0, 1)}, ["a < 0.9", "a + b > 3"])
    with pytest.raises(SpaceError, match=r"'a \+ b > 3' holds for 0.0%"):
        space.sample(np.random.default_rng(0), 1)


def test_samples_spread_evenly_over_a_log_range():
    space = Space({"x": Real(1e-4, 1.0, log=True), "n": Integer(1, 1000, log=True)})
    points = space.sample(np.random.default_rng(0), 4000)
    assert np.quantile([point["x"] for point in points], 0.5) == pytest.approx(1e-2, rel=0.15)
    assert np.quantile([point["n"] for point in points], 0.5) == pytest.approx(
        math.sqrt(0.5 * 1000.5), rel=0.15
    )


def test_neighbours_keep_what_they_do_not_move():
    space = Space({"x": Real(0.1, 7.0, log=True), "m": Categorical(["a", "b", "c"])})
    neighbours = space.neighbours({"x": 0.3, "m": "a"}, np.random.default_rng(0), 10)
    assert [point for point in neighbours if point["x"] == 0.3 and point["m"] == "b"]
    assert len(neighbours) == 10
    near = space.neighbours({"x": 0.3, "m": "a"}, np.random.default_rng(0), 50, scale=1e-3)
    assert all(point["x"] == pytest.approx(0.3, rel=0.1) for point in near)


def test_a_step_into_a_branch_draws_its_children(solver):
    neighbours = solver.neighbours({"size": 3, "solver": "lu"}, np.random.default_rng(0), 200)
    omegas = {point["omega"] for point in neighbours if point["solver"] == "sor"}
    assert len(omegas) > 5


def test_a_grid_has_the_bounds_and_respects_constraints():
    space = Space({"a": Real(0.0, 1.0), "b": Integer(1, 3)}, ["a < b - 1"])
    assert [tuple(point.values()) for point in space.grid(3)] == [
        (0.0, 2),
        (0.0, 3),
        (0.5, 2),
        (0.5, 3),
        (1.0, 3),
    ]
    assert space.cardinality is None
    with pytest.raises(SpaceError, match="at least 1"):
        space.grid(0)


def test_a_real_in_a_branch_makes_a_space_infinite(solver):
    assert solver.cardinality is None
    assert Space({"n": Integer(1, 10**6), "b": Boolean(when={"n": [1, 2]})}).cardinality == 10**6 + 2


def test_a_specification_reads_as_a_study_file():
    space = Space(
        {"x": Real(1, 2, log=True, units="mm"), "m": Categorical(["a", "b"]), "k": Boolean(when={"m": "b"})}
    )
    assert space.specification()["parameters"] == {
        "x": {"type": "real", "low": 1.0, "high": 2.0, "log": True, "units": "mm"},
        "m": {"type": "categorical", "choices": ["a", "b"]},
        "k": {"type": "boolean", "when": {"m": ["b"]}},
    }
