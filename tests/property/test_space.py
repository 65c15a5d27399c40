"""Any space: there and back through the unit cube, and every point that it proposes belongs to it."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asktell.errors import SpaceError
from asktell.space import Boolean, Categorical, Constant, Integer, Ordinal, Parameter, Real, Space

patient = settings(deadline=None)
finite = st.floats(-1e12, 1e12)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def intervals(draw, bounds=finite):
    low, high = sorted(draw(st.tuples(bounds, bounds)))
    assume(low < high)
    return low, high


@st.composite
def integers(draw, widest=2**40, when=None):
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -(2**52), 2**52))
    return Integer(low, low + draw(st.integers(1, widest)), log=log, when=when)


@st.composite
def reals(draw, when=None):
    log = draw(st.booleans())
    low, high = draw(intervals(st.floats(1e-12, 1e12) if log else finite))
    return Real(low, high, log=log, when=when)


texts = st.lists(st.text(max_size=4), min_size=2, max_size=5, unique=True)
numbers = st.lists(st.integers(-9, 9) | st.sampled_from([0.5, 1.5]), min_size=2, max_size=5, unique=True)


def discrete(when=None):
    return st.one_of(
        integers(widest=6, when=when),
        texts.map(lambda choices: Categorical(choices, when=when)),
        numbers.map(lambda choices: Ordinal(choices, when=when)),
        st.just(Boolean(when=when)),
    )


@st.composite
def spaces(draw, is_finite=False):
    """Up to six parameters, each perhaps conditional on one or two of those before it."""
    parameters: dict[str, Parameter] = {"root": draw(discrete())}
    for i in range(draw(st.integers(0, 5))):
        parents = [name for name, p in parameters.items() if (p.cardinality or math.inf) <= 10]
        chosen = draw(st.lists(st.sampled_from(parents), max_size=2, unique=True))
        when = {
            parent: draw(
                st.lists(
                    st.sampled_from(list(parameters[parent].levels(1))), min_size=1, max_size=3, unique=True
                )
            )
            for parent in chosen
        } or None
        kinds = [discrete(when), st.just(Constant(7, when=when))]
        if not is_finite:
            kinds += [reals(when), integers(when=when)]
        parameters[f"p{i}"] = draw(st.one_of(kinds))
    shuffled = draw(st.permutations(list(parameters.items())))
    return Space(dict(shuffled))


@st.composite
def constrained_spaces(draw):
    """A space with a constraint that keeps, for one numeric parameter, the part above a value within."""
    space = draw(spaces())
    numeric = [name for name, p in space.parameters.items() if isinstance(p, Real | Integer)]
    if not numeric:
        return space
    name = draw(st.sampled_from(numeric))
    middle = space.parameters[name].from_unit(np.array([0.4]))[0]
    return Space(space.parameters, [f"{name} >= {middle!r}"])


def assert_close(space: Space, left: dict, right: dict) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        parameter = space.parameters[name]
        if isinstance(parameter, Real):
            scale = value if parameter.log else max(abs(parameter.low), abs(parameter.high))
            assert parameter.low <= right[name] <= parameter.high
            assert right[name] == pytest.approx(value, rel=0, abs=1e-12 * scale)
        else:
            assert right[name] == value
            assert type(right[name]) is type(value)


@patient
@given(spaces(), seeds)
def test_values_survive_the_unit_cube(space, seed):
    for point in space.sample(np.random.default_rng(seed), 5):
        unit = space.to_unit(point)
        assert unit.shape == (space.dims,)
        assert ((unit >= 0) & (unit <= 1)).all()
        inactive = set(space.columns) - set(space.active(point))
        assert all(unit[space.columns.index(name)] == 0.5 for name in inactive)
        assert_close(space, point, space.from_unit(unit))


@patient
@given(spaces(), seeds)
def test_places_survive_a_second_passage(space, seed):
    """Every place belongs to a point; the point's own place belongs to it, too."""
    places = np.random.default_rng(seed).random((5, space.dims))
    points = space.from_unit_many(places)
    assert points == [space.from_unit(place) for place in places]
    settled = space.to_unit_many(points)
    for column, name in enumerate(space.columns):
        if isinstance(parameter := space.parameters[name], Real):
            active = [name in point for point in points]
            width = (
                math.log(parameter.high / parameter.low) if parameter.log else parameter.high - parameter.low
            )
            size = 1.0 if parameter.log else max(abs(parameter.low), abs(parameter.high))
            np.testing.assert_allclose(
                settled[active, column], places[active, column], rtol=0, atol=1e-12 * (1 + size / width)
            )
    for point, again in zip(points, space.from_unit_many(settled), strict=True):
        assert_close(space, point, again)


@patient
@given(integers(), st.data())
def test_integers_are_exact_however_large(parameter, data):
    """Also where doubles just tell neighbours apart."""
    value = data.draw(st.integers(parameter.low, parameter.high))
    near = [v for v in (value - 1, value, value + 1) if parameter.low <= v <= parameter.high]
    unit = parameter.to_unit(near)
    assert parameter.from_unit(unit) == near
    assert (np.diff(unit) > 0).all()


@patient
@given(constrained_spaces(), seeds, st.floats(0.01, 0.5))
def test_what_a_space_proposes_belongs_to_it(space, seed, scale):
    rng = np.random.default_rng(seed)
    first, *others = space.sample(rng, 5)
    neighbours = space.neighbours(first, rng, 12, scale)
    assert first not in neighbours
    for point in (first, *others, *neighbours):
        assert space.validate(point) == point
        assert list(space.validate(point)) == [name for name in space.names if name in space.active(point)]
        assert space.is_feasible(point)
        assert not space.violated(point)


@patient
@given(spaces(is_finite=True))
def test_a_grid_has_every_point_of_a_finite_space_once(space):
    assume(space.cardinality <= 2000)
    points = list(space.grid(1))
    assert len(points) == len({tuple(point.items()) for point in points}) == space.cardinality
    assert all(space.validate(point) == point for point in points)


@patient
@given(spaces(is_finite=True))
def test_cardinality_against_counting(space):
    values = [list(parameter.levels(1)) for parameter in space.parameters.values()]
    assume(math.prod(map(len, values)) <= 2000)
    full = (dict(zip(space.names, row, strict=True)) for row in itertools.product(*values))
    assert space.cardinality == len({tuple(space.validate(point).items()) for point in full})


@patient
@given(spaces(is_finite=True), st.data())
def test_neighbours_of_a_finite_space_hold_every_single_step(space, data):
    origin = space.sample(np.random.default_rng(data.draw(seeds)), 1)[0]
    neighbours = space.neighbours(origin, np.random.default_rng(0), 500)
    for name in set(space.columns) & set(origin):
        for value in space.parameters[name].steps(origin[name]):
            assert any(point.get(name) == value for point in neighbours)


@patient
@given(constrained_spaces())
def test_a_specification_gives_the_space_back(space):
    again = Space.from_specification(space.specification())
    assert again == space
    assert hash(again) == hash(space)
    assert again.specification() == space.specification()
    assert pickle.loads(pickle.dumps(space)) == space


@patient
@given(spaces(), seeds, st.data())
def test_values_outside_are_refused_by_name(space, seed, data):
    point = space.sample(np.random.default_rng(seed), 1)[0]
    name = data.draw(st.sampled_from(sorted(point)))
    wrong = data.draw(st.sampled_from([math.nan, math.inf, None, 1e300, "no such choice"]))
    with pytest.raises(SpaceError, match=name):
        space.validate({**point, name: wrong})
