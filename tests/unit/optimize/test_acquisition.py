"""Acquisition functions against numerical integration and finite differences."""

import math
from functools import partial

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from asktell.optimize.acquisition import (
    Valued,
    average,
    information,
    local_penalty,
    log_confidence_bound,
    log_expected_improvement,
    log_probability_of_improvement,
    log_probability_within,
    sample_minima,
)

Z = [-120.0, -99.0, -40.0, -8.0, -1.01, -0.99, 0.0, 0.7, 6.0]
BEST = np.array([0.4])


def at(z: float, std: float) -> tuple[np.ndarray, np.ndarray]:
    """mean and std for which (best - mean) / std is z."""
    return BEST[:, None] - z * std, np.array([std])


def log_integral(z: float, power: int) -> float:
    """log of the integral of t^power phi(t - z) over t > 0; phi(z) is taken out, which may underflow."""
    width = 1.0 if z > -1 else 1.0 / -z
    value, _ = quad(
        lambda s: (s * width) ** power * math.exp(s * width * z - (s * width) ** 2 / 2) * width,
        0,
        max(40.0, 2 * (z + 8)),
        epsabs=0,
        epsrel=1e-11,
        limit=200,
    )
    return float(norm.logpdf(z)) + math.log(value)


@pytest.mark.parametrize("z", Z)
@pytest.mark.parametrize("std", [1e-3, 2.0])
def test_expected_improvement_is_the_integral(z: float, std: float) -> None:
    found = log_expected_improvement(*at(z, std), best=BEST).value
    assert found[0, 0] == pytest.approx(log_integral(z, 1) + math.log(std), rel=1e-9, abs=1e-8)


@pytest.mark.parametrize("z", Z)
def test_probability_of_improvement_is_the_integral(z: float) -> None:
    found = log_probability_of_improvement(*at(z, 0.3), best=BEST).value
    assert found[0, 0] == pytest.approx(log_integral(z, 0), rel=1e-9, abs=1e-10)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-1.0, 0.5), (7.0, 9.0), (-9.0, -7.0), (-math.inf, 0.3), (-6.0, math.inf), (8.0, math.inf)],
)
def test_probability_within_bounds_is_the_integral(low: float, high: float) -> None:
    mean, std = 0.2, 0.8
    value, _ = quad(
        lambda t: norm.pdf(t, mean, std),
        max(low, -20),
        min(high, 20),
        epsabs=0,
        epsrel=1e-11,
        limit=200,
        points=None,
    )
    found = log_probability_within(np.array([mean]), np.array([std]), low, high).value
    assert found[0] == pytest.approx(math.log(value), rel=1e-9, abs=1e-11)


ACQUISITIONS = {
    "ei": partial(log_expected_improvement, best=BEST),
    "pi": partial(log_probability_of_improvement, best=BEST),
    "ucb": partial(log_confidence_bound, best=BEST, kappa=1.5),
    "information": partial(information, minima=np.array([-0.8, -2.5]), noise=0.3),
    "within": lambda mean, std: Valued(
        *(v[:, None] for v in log_probability_within(mean[:, 0], std, -0.3, 0.9))
    ),
    "below": lambda mean, std: Valued(
        *(v[:, None] for v in log_probability_within(mean[:, 0], std, -np.inf, 0.1))
    ),
}


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_derivatives_are_those_of_finite_differences(name: str) -> None:
    acquisition = ACQUISITIONS[name]
    mean = np.array([-3.0, 0.0, 0.4, 1.3, 4.0, 60.0])[:, None]
    std = np.array([0.5, 1.2, 0.4, 0.8, 0.3, 0.6])
    found, step = acquisition(mean, std), 1e-6
    to_mean = (acquisition(mean + step, std).value - acquisition(mean - step, std).value) / (2 * step)
    to_std = (acquisition(mean, std + step).value - acquisition(mean, std - step).value) / (2 * step)
    np.testing.assert_allclose(found.to_mean, to_mean, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.to_std, to_std, rtol=1e-5, atol=1e-7)


def test_a_confidence_bound_ranks_points_as_the_bound_itself() -> None:
    rng = np.random.default_rng(0)
    mean, std = 30 * rng.normal(size=(200, 1)), rng.random(200) + 0.01
    found = log_confidence_bound(mean, std, BEST, kappa=2.0).value[:, 0]
    np.testing.assert_array_equal(np.argsort(-found), np.argsort(mean[:, 0] - 2.0 * std))


def test_an_average_is_that_of_improvements_not_of_their_logarithms() -> None:
    mean, std, best = np.array([[0.3, 0.9, -0.2]]), np.array([0.5]), np.array([0.4, 0.1, 0.4])
    each = log_expected_improvement(mean, std, best)
    found = average(each)
    assert found.value[0] == pytest.approx(math.log(np.exp(each.value).mean()))
    step = 1e-6
    for s in range(3):
        moved = mean + step * np.eye(3)[s]
        numeric = (average(log_expected_improvement(moved, std, best)).value - found.value) / step
        assert found.to_mean[0, s] == pytest.approx(numeric[0], rel=1e-4)
    numeric = (average(log_expected_improvement(mean, std + step, best)).value - found.value) / step
    assert found.to_std[0] == pytest.approx(numeric[0], rel=1e-4)


def test_a_local_penaliser_by_hand() -> None:
    """González et al. (2016): radius (mean - best) / L = 0.5; 1/2 on its edge, 1 far off."""
    distance = np.array([[0.0], [0.5], [5.0]])
    value, slope = local_penalty(distance, np.array([1.0]), np.array([0.2]), best=0.0, lipschitz=2.0)
    np.testing.assert_allclose(np.exp(value), [norm.cdf(-5.0), 0.5, 1.0])
    step = 1e-6
    moved, _ = local_penalty(distance + step, np.array([1.0]), np.array([0.2]), best=0.0, lipschitz=2.0)
    np.testing.assert_allclose(slope[:, 0], (moved - value) / step, rtol=1e-3, atol=1e-6)
    both, _ = local_penalty(np.array([[0.5, 0.5]]), np.array([1.0, 1.0]), np.full(2, 0.2), 0.0, 2.0)
    assert both[0] == pytest.approx(2 * math.log(0.5)), "penalties multiply"


def test_information_without_noise_is_worth_what_the_formula_says() -> None:
    """By hand for mean 0, std 1: u = 0 for a minimum of 0, r = sqrt(2 / pi), so 1 - r^2 = 1 - 2 / pi."""
    found = information(np.zeros((1, 1)), np.ones(1), np.zeros(1), noise=0.0).value[0, 0]
    assert found == pytest.approx(-0.5 * math.log(1 - 2 / math.pi))
    halved = information(np.zeros((1, 1)), np.ones(1), np.zeros(1), noise=1.0).value[0, 0]
    assert halved == pytest.approx(-0.5 * math.log(1 - 1 / math.pi))


def test_information_is_the_variance_that_knowing_the_minimum_takes_away() -> None:
    """-1/2 log of the variance ratio of a normal and of what is left of it above the minimum."""
    for minimum in (-1.5, 0.2):
        above = truncnorm((minimum - 0.4) / 0.7, np.inf, 0.4, 0.7)
        found = information(np.full((1, 1), 0.4), np.full(1, 0.7), np.array([minimum]), noise=0.0)
        assert found.value[0, 0] == pytest.approx(-0.5 * math.log(above.var() / 0.49))


def test_quantiles_of_a_minimum_are_those_of_draws() -> None:
    mean, std = np.array([0.0, 0.3, -0.2, 1.0]), np.array([0.5, 1.0, 0.1, 0.2])
    draws = (mean + std * np.random.default_rng(0).standard_normal((100_000, 4))).min(axis=1)
    quantiles = np.array([0.05, 0.5, 0.95])
    np.testing.assert_allclose(sample_minima(mean, std, quantiles), np.quantile(draws, quantiles), atol=0.02)
