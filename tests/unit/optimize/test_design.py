"""A design is a function of (space, seed, index), feasible, and more even than chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from asktell.errors import SpaceError
from asktell.optimize.design import _sequence, design_point
from asktell.space import Categorical, Real, Space

square = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})


def test_points_depend_on_space_seed_and_index_alone():
    forward = [design_point(square, 5, index) for index in range(300)]
    _sequence.cache_clear()
    again = Space(square.parameters)
    assert [design_point(again, 5, index) for index in reversed(range(300))] == forward[::-1]
    assert design_point(square, 6, 0) != forward[0]


def test_a_design_is_more_even_than_chance():
    designed = square.to_unit_many([design_point(square, 0, i) for i in range(128)])
    assert qmc.discrepancy(designed) < 0.1 * qmc.discrepancy(np.random.default_rng(0).random((128, 2)))


def test_points_are_feasible_and_may_be_changed():
    space = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0), "m": Categorical(["a", "b"])}, ["x < 0.2 * y"])
    for index in range(50):
        assert space.is_feasible(design_point(space, 0, index))
    design_point(space, 0, 3)["x"] = 9.0
    assert design_point(space, 0, 3)["x"] < 1.0


def test_a_space_without_feasible_points_is_named():
    with pytest.raises(SpaceError, match="no feasible point"):
        design_point(Space({"x": Real(0, 1)}, ["x > 2"]), 0, 0)
