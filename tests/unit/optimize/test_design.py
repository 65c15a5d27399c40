"""Designs are functions of (space, seed, index), and spread as they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from asktell.errors import SpaceError
from asktell.optimize.design import _sequence, design_point, random_point
from asktell.space import Categorical, Real, Space

square = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})


@pytest.mark.parametrize("point", [design_point, random_point])
def test_points_depend_on_space_seed_and_index_alone(point):
    forward = [point(square, 5, index) for index in range(300)]
    _sequence.cache_clear()
    again = Space(square.parameters)
    assert [point(again, 5, index) for index in reversed(range(300))] == forward[::-1]
    assert point(square, 6, 0) != forward[0]


def test_a_design_is_more_even_than_chance():
    def discrepancy(point):
        return qmc.discrepancy(square.to_unit_many([point(square, 0, i) for i in range(128)]))

    assert discrepancy(design_point) < 0.1 * discrepancy(random_point)


@pytest.mark.parametrize("point", [design_point, random_point])
def test_points_are_feasible_and_may_be_changed(point):
    space = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0), "m": Categorical(["a", "b"])}, ["x < 0.2 * y"])
    for index in range(50):
        assert space.is_feasible(point(space, 0, index))
    point(space, 0, 3)["x"] = 9.0
    assert point(space, 0, 3)["x"] < 1.0


def test_design_and_chance_are_independent():
    assert not np.allclose(
        square.to_unit(design_point(square, 3, 0)), square.to_unit(random_point(square, 3, 0))
    )


def test_a_space_without_feasible_points_is_named():
    with pytest.raises(SpaceError, match="no feasible point"):
        design_point(Space({"x": Real(0, 1)}, ["x > 2"]), 0, 0)
