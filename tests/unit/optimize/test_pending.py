import numpy as np
import pytest

from asktell.errors import SpaceExhausted
from asktell.optimize.pending import Taken, compressed, standardised, success, unused_point
from asktell.space import Boolean, Categorical, Integer, Real, Space


def test_a_point_is_taken_within_a_millionth_in_every_column() -> None:
    taken = Taken(np.array([[0.2, 0.8], [0.5, 0.5]]))
    assert np.array([0.2 + 5e-7, 0.8 - 5e-7]) in taken
    assert np.array([0.2, 0.8 + 2e-6]) not in taken
    taken.add(np.array([0.2, 0.8 + 2e-6]))
    assert np.array([0.2, 0.8 + 2e-6]) in taken


@pytest.mark.parametrize(
    "space",
    [
        Space({"a": Categorical(["x", "y"]), "n": Integer(1, 3, when={"a": ["y"]})}),
        Space({"a": Integer(1, 4), "b": Integer(1, 4), "c": Boolean()}, ["a < b"]),
    ],
)
def test_a_finite_space_gives_each_of_its_points_once(space: Space) -> None:
    rng = np.random.default_rng(3)
    everything = list(space.grid(levels=1))
    taken = Taken(np.empty((0, space.dims)))
    found = []
    for _ in everything:
        found.append(unused_point(space, taken, rng))
        taken.add(space.to_unit(found[-1]))
    key = lambda point: sorted(point.items(), key=str)  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, everything))
    with pytest.raises(SpaceExhausted, match="every point"):
        unused_point(space, taken, rng)


def test_a_continuum_does_not_end() -> None:
    space = Space({"x": Real(0.0, 1.0)})
    rng = np.random.default_rng(0)
    taken = Taken(np.array([[u] for u in np.linspace(0, 1, 500)]))
    assert space.to_unit(unused_point(space, taken, rng)) not in taken


def test_standardising_keeps_the_order_and_tames_the_tail() -> None:
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(size=60), [1e3, 1e9]])
    z = standardised(losses, tail=True)
    np.testing.assert_array_equal(np.argsort(z), np.argsort(losses))
    assert (abs(z.mean()), z.std()) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert np.ptp(z[:60]) > 1.0 > 1e-6 > np.ptp(standardised(losses, tail=False)[:60])
    assert standardised(np.full(3, 5.0), tail=True).tolist() == [0.0] * 3


@pytest.mark.parametrize("extreme", [1.7e308, 1e300, -1e300, -1.7e308])
def test_the_largest_number_there_is_can_be_a_loss(extreme: float) -> None:
    losses = np.array([1e-9, 2e-9, extreme, 3e-9, 4e-9])
    z, slope = compressed(losses, tail=True)
    assert np.isfinite([z, slope]).all()
    assert (z[2] > z[[0, 1, 3, 4]]).all() if extreme > 0 else (z[2] < z[[0, 1, 3, 4]]).all()


def test_success_is_judged_by_the_nearest() -> None:
    good, bad = np.array([[0.1, 0.1], [0.2, 0.1], [0.1, 0.2]]), np.array([[0.8, 0.8]])
    near_good, between, near_bad, at_bad = success(
        np.array([[0.12, 0.12], [0.45, 0.45], [0.79, 0.8], [0.8, 0.8]]), good, bad
    )
    assert near_good > 0.99 > between > 0.2 > 0.01 > near_bad >= at_bad
    nothing = np.empty((0, 2))
    assert success(bad, nothing, bad).tolist() == [0.0]
    assert success(bad, good, nothing).tolist() == [1.0]
