"""Terms of a criterion: local penalisation from its paper's definition, slopes against finite differences."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from asktell.optimize.engines.gp_criterion import MIN_SUCCESS, Limit, Penaliser
from asktell.optimize.surrogate import Conditioner, Features, Hyperparameters, Kernel, Posterior
from asktell.space import Real, Space

LINE = Space({"x": Real(0.0, 1.0)})
SCALE = 0.25


def posterior() -> Posterior:
    """A process of length scale 0.25 given six values of a wave."""
    kernel = Kernel(Features(LINE), Hyperparameters(np.array([SCALE]), 1.0, 1e-4))
    unit = np.array([[0.0], [0.15], [0.4], [0.6], [0.8], [1.0]])
    points = kernel.scaled(unit)
    return Posterior(kernel, points, Conditioner().factor(kernel, points), np.sin(7 * unit))


def test_a_point_counts_by_how_likely_it_is_outside_every_ball_of_no_improvement() -> None:
    """González et al. (2016), section 3.2: P(L |x - x_j| > f(x_j) - best), with the steepest slope for L."""
    model, pending, best = posterior(), np.array([[0.3], [0.7]]), -0.9
    grid = np.linspace(0.0, 1.0, 2001)[:, None]
    at = model.predict(pending)
    # Distances are in length scales, so the slope is per length scale.
    steepest = SCALE * np.abs(np.gradient(model.predict(grid).mean[:, 0], grid[:, 0], edge_order=2)).max()
    asked = np.array([[0.05], [0.28], [0.5], [0.93]])
    expected = np.ones(4)
    for x, mean, std in zip(pending, at.mean[:, 0], at.std, strict=True):
        distance = np.abs(asked[:, 0] - x) / SCALE
        expected *= norm.cdf((steepest * distance - (mean - best)) / std)
    found, _ = Penaliser(model, best, pending, probes=grid).term(asked)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-3)
    assert expected.min() < 0.01 < 0.9 < expected.max(), "near and far points are among them"


def test_a_flat_mean_has_no_slope_and_still_keeps_points_apart() -> None:
    kernel = Kernel(Features(LINE), Hyperparameters(np.array([SCALE]), 1.0, 1e-4))
    points = kernel.scaled(np.array([[0.5]]))
    flat = Posterior(kernel, points, Conditioner().factor(kernel, points), np.zeros((1, 1)))
    keeper = Penaliser(flat, -0.5, np.array([[0.2]]), probes=np.linspace(0, 1, 50)[:, None])
    near, far = keeper.term(np.array([[0.201], [0.9]]))[0]
    assert near < far == pytest.approx(0.0, abs=1e-6)


def check_slope(term: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], unit: np.ndarray) -> None:
    """Against central differences; the term has to change at each of the points."""
    step = 1e-6
    numeric = (term(unit + step)[0] - term(unit - step)[0]) / (2 * step)
    assert np.abs(numeric).min() > 1e-3
    np.testing.assert_allclose(term(unit)[1][:, 0], numeric, rtol=1e-4)


def test_the_slope_of_a_penalty_close_to_its_point() -> None:
    keeper = Penaliser(posterior(), -0.9, np.array([[0.3], [0.7]]), np.linspace(0, 1, 50)[:, None])

    def term(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = keeper.term(unit)
        return value, gradient()

    check_slope(term, np.array([[0.27], [0.33], [0.66], [0.72]]))


@pytest.mark.parametrize("is_success", [False, True])
def test_the_slope_of_a_limit_where_it_is_likely_kept_and_where_not(is_success: bool) -> None:
    limit = Limit(posterior(), -np.inf, 0.1, is_success=is_success)
    unit = np.array([[0.43], [0.44], [0.47], [0.5], [0.89]])

    def term(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        prediction = limit.quantity.predict(unit)
        found = limit.log_probability(prediction)
        return found.value, prediction.pull(found.to_mean[:, None], found.to_std)

    plain = Limit(limit.quantity, limit.low, limit.high)
    likely = np.exp(plain.log_probability(plain.quantity.predict(unit)).value) > MIN_SUCCESS
    assert 0 < likely.sum() < len(unit)
    check_slope(term, unit)
