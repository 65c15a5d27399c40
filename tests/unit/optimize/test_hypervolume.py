import numpy as np
import pytest

from asktell.optimize.hypervolume import hypervolume, is_efficient


def test_a_hypervolume_by_hand() -> None:
    """Two boxes, 1 x 2 and 2 x 1, that share the unit square; the third point is beaten, the last beyond."""
    losses = np.array([[1.0, 2.0], [2.0, 1.0], [2.5, 2.5], [0.0, 9.0]])
    assert hypervolume(losses, [3.0, 3.0]) == pytest.approx(3.0)
    assert hypervolume(np.array([[0.0, 0.5, 0.5]]), [1.0, 1.0, 1.0]) == pytest.approx(0.25)
    assert hypervolume(np.empty((0, 2)), [3.0, 3.0]) == 0.0
    assert hypervolume(np.array([[4.0, 1.0]]), [3.0, 3.0]) == 0.0


def test_a_hypervolume_is_the_share_of_points_that_are_beaten() -> None:
    rng = np.random.default_rng(0)
    losses, probes = rng.random((12, 3)), rng.random((20_000, 3))
    beaten = (losses[None] <= probes[:, None]).all(axis=2).any(axis=1).mean()
    assert hypervolume(losses, np.ones(3)) == pytest.approx(beaten, abs=0.015)


@pytest.mark.parametrize("m", [1, 2, 4])
def test_efficient_is_what_nothing_beats_the_first_of_equals(m: int) -> None:
    losses = np.random.default_rng(m).integers(0, 4, (40, m)).astype(float)
    expected = [
        not ((losses <= x).all(axis=1) & (losses < x).any(axis=1)).any()
        and not (losses[:i] == x).all(axis=1).any()
        for i, x in enumerate(losses)
    ]
    assert is_efficient(losses).tolist() == expected
    assert is_efficient(np.empty((0, m))).tolist() == []
