"""The Gaussian process against dense linear algebra, finite differences and exact conditioning."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from threadpoolctl import threadpool_limits

from asktell.optimize.surrogate import (
    Conditioner,
    Features,
    Hyperparameters,
    Kernel,
    Posterior,
    SamplePath,
    fantasies,
    fit,
)
from asktell.optimize.surrogate.fit import negative_log_posterior, representative
from asktell.space import Boolean, Categorical, Integer, Real, Space

CUBE = Space({f"x{i}": Real(0.0, 1.0) for i in range(3)})
MIXED = Space({"x": Real(0.0, 1.0), "m": Categorical(["a", "b", "c"]), "n": Integer(1, 9), "k": Boolean()})


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def process(space: Space, noise: float = 1e-3) -> Kernel:
    scales = np.linspace(0.3, 0.9, space.dims)
    return Kernel(Features(space), Hyperparameters(scales, 1.7, noise))


def places(space: Space, n: int, seed: int = 0) -> np.ndarray:
    return space.to_unit_many(space.sample(np.random.default_rng(seed), n))


def matern(kernel: Kernel, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The textbook's formula, pair by pair."""
    scales, signal = kernel.hyper.length_scales, kernel.hyper.signal
    found = np.empty((len(a), len(b)))
    for i, j in np.ndindex(found.shape):
        t = math.sqrt(sum(((u - v) / s) ** 2 for u, v, s in zip(a[i], b[j], scales, strict=True)))
        found[i, j] = signal * (1 + math.sqrt(5) * t + 5 * t * t / 3) * math.exp(-math.sqrt(5) * t)
    return found


def slopes(function, at: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences of a function (q, d) -> (q,): (q, d)."""
    steps = np.eye(at.shape[1]) * step
    return np.stack([(function(at + e) - function(at - e)) / (2 * step) for e in steps], axis=1)


def conditioned(kernel: Kernel, unit: np.ndarray, values: np.ndarray) -> Posterior:
    points = kernel.scaled(unit)
    return Posterior(kernel, points, Conditioner().factor(kernel, points), values)


def test_the_kernel_is_the_textbooks() -> None:
    kernel, a, b = process(CUBE), places(CUBE, 6), places(CUBE, 4, seed=1)
    np.testing.assert_allclose(
        kernel.between(kernel.scaled(a), kernel.scaled(b)), matern(kernel, a, b), rtol=1e-10
    )


def test_two_categories_are_equally_far_apart_whichever_they_are() -> None:
    features = Features(MIXED)
    points = [{"x": 0.5, "m": m, "n": 5, "k": k} for m in "abc" for k in (False, True)]
    f = features.of(MIXED.to_unit_many(points))
    for i, p in enumerate(points):
        for j, q in enumerate(points):
            assert ((f[i] - f[j]) ** 2).sum() == pytest.approx((p["m"] != q["m"]) + (p["k"] != q["k"]))
    np.testing.assert_array_equal(features.by_column(np.ones(len(features.column))), [1, 3, 1, 2])


@pytest.mark.parametrize("space", [CUBE, MIXED], ids=["cube", "mixed"])
def test_the_fit_climbs_the_true_density_by_its_true_gradient(space: Space) -> None:
    features, unit = Features(space), places(space, 15)
    y = np.sin(5 * unit[:, 0]) + unit[:, 1]
    inputs = features.of(unit)
    theta = np.append(np.log(np.linspace(0.3, 0.9, space.dims)), [0.3, -4.0])
    known = np.linspace(0.0, 0.1, 15)

    def value(at: np.ndarray) -> float:
        return negative_log_posterior(at, features, inputs, y, known)[0]

    gradient = negative_log_posterior(theta, features, inputs, y, known)[1]
    numeric = [(value(theta + e) - value(theta - e)) / 2e-5 for e in np.eye(len(theta)) * 1e-5]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-6)

    # Differences between data sets at the same theta leave the likelihood alone; scipy knows it.
    kernel = Kernel(features, Hyperparameters(np.exp(theta[:-2]), math.exp(theta[-2]), math.exp(theta[-1])))
    a = kernel.scaled(unit)
    normal = multivariate_normal(np.zeros(15), kernel.between(a, a) + np.diag(kernel.hyper.noise + known))
    other = negative_log_posterior(theta, features, inputs, y[::-1].copy(), known)[0]
    assert value(theta) - other == pytest.approx(normal.logpdf(y[::-1]) - normal.logpdf(y))


def test_a_fit_learns_what_matters_and_how_noisy_it_is() -> None:
    rng = np.random.default_rng(0)
    unit = rng.random((90, 3))
    clean = np.sin(8 * unit[:, 0]) / 0.7
    quiet = fit(Features(CUBE), unit, clean, rng)
    noisy = fit(Features(CUBE), unit, clean + 0.4 * rng.standard_normal(90), rng)
    assert quiet.length_scales[0] < 0.3 * quiet.length_scales[1:].min()
    assert quiet.noise < 1e-4
    assert noisy.noise == pytest.approx(0.16, rel=0.5)
    prior = fit(Features(CUBE), np.empty((0, 3)), np.empty(0), rng)
    assert np.ptp(prior.length_scales) < 1e-6, "without data no column is different"


def test_noise_that_is_known_is_not_learned_once_more() -> None:
    rng = np.random.default_rng(0)
    unit, error = rng.random((90, 3)), np.where(np.arange(90) % 2, 0.6, 0.0)
    y = np.sin(8 * unit[:, 0]) / 0.7 + error * rng.standard_normal(90)
    told = fit(Features(CUBE), unit, y, rng, error**2)
    untold = fit(Features(CUBE), unit, y, rng)
    assert told.noise < 0.01 < 0.05 < untold.noise


def test_replicates_count_as_their_mean_would() -> None:
    """Variances of 0.2 and 0.4 are known, s is learned: 1 / (0.2 + s) and 1 / (0.4 + s) add up."""
    kernel, unit, asked = process(CUBE), places(CUBE, 12), places(CUBE, 5, seed=1)
    points, variance = kernel.scaled(unit), np.full(12, 0.2)
    values = np.sin(5 * unit[:, :1])
    twice = np.vstack([points, points[:1]]), np.vstack([values, [[1.5]]]), np.append(variance, 0.4)
    weights = 1.0 / (kernel.hyper.noise + np.array([0.2, 0.4]))
    pooled, less = values.copy(), variance.copy()
    pooled[0] = (weights @ [values[0, 0], 1.5]) / weights.sum()
    less[0] = 1.0 / weights.sum() - kernel.hyper.noise
    found, expected = (
        Posterior(kernel, at, Conditioner().factor(kernel, at, v), y, v).predict(asked)
        for at, y, v in (twice, (points, pooled, less))
    )
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-9)
    np.testing.assert_allclose(found.std, expected.std, rtol=1e-9)


def test_many_points_are_fitted_like_few() -> None:
    rng = np.random.default_rng(0)
    unit = rng.random((600, 3))
    y = np.sin(8 * unit[:, 0]) + unit[:, 1]
    few, many = (fit(Features(CUBE), unit[:n], y[:n], rng) for n in (200, 600))
    np.testing.assert_allclose(np.log(many.length_scales), np.log(few.length_scales), atol=0.5)
    order = representative(y, rng)
    assert sorted(order) == list(range(600))
    assert {int(i) for i in np.argsort(y)[:20]} <= {int(i) for i in order[:60]}


def test_a_factor_has_the_same_bits_whatever_came_before_it() -> None:
    """Points come, as asked, and go, as failed: each time as if factored for the first time."""
    kernel, rng = process(CUBE), np.random.default_rng(0)
    kept = Conditioner()
    points = kernel.scaled(rng.random((150, 3)))
    for _ in range(12):
        points = np.vstack([points, kernel.scaled(rng.random((rng.integers(1, 40), 3)))])
        points = np.delete(points, rng.integers(len(points)), axis=0)
        warm, fresh = kept.factor(kernel, points), Conditioner().factor(kernel, points)
        np.testing.assert_array_equal(warm, fresh)
    covariance = kernel.between(points, points) + kernel.hyper.noise * np.eye(len(points))
    np.testing.assert_allclose(warm @ warm.T, covariance, atol=1e-10)
    np.testing.assert_array_equal(warm, np.tril(warm))


def test_another_kernel_makes_another_factor() -> None:
    kept = Conditioner()
    unit = places(CUBE, 70)
    for kernel in (process(CUBE), process(CUBE, noise=0.1)):
        points = kernel.scaled(unit)
        np.testing.assert_array_equal(kept.factor(kernel, points), Conditioner().factor(kernel, points))


@pytest.mark.parametrize("space", [CUBE, MIXED], ids=["cube", "mixed"])
def test_a_posterior_is_what_dense_algebra_makes_of_it(space: Space) -> None:
    kernel, unit, asked = process(space), places(space, 70), places(space, 5, seed=1)
    values = np.stack([np.sin(4 * unit[:, 0]), unit[:, 1]], axis=1)
    posterior = conditioned(kernel, unit, values)
    a, b = kernel.scaled(asked), kernel.scaled(unit)
    inverse = np.linalg.inv(kernel.between(b, b) + kernel.hyper.noise * np.eye(70))
    k = kernel.between(a, b)
    found = posterior.predict(asked)
    np.testing.assert_allclose(found.mean, k @ inverse @ values, atol=1e-8)
    np.testing.assert_allclose(found.std**2, 1.7 - np.diag(k @ inverse @ k.T), atol=1e-8)
    np.testing.assert_allclose(posterior.fitted, posterior.predict(unit).mean, atol=1e-8)

    weights, to_std = np.array([[0.3, -1.1]]), 0.7
    gradient = found.pull(np.repeat(weights, 5, axis=0), np.full(5, to_std))

    def combined(at: np.ndarray) -> np.ndarray:
        prediction = posterior.predict(at)
        return prediction.mean @ weights[0] + to_std * prediction.std

    numeric = slopes(combined, asked)
    is_real = [isinstance(space.parameters[name], Real) for name in space.columns]
    np.testing.assert_allclose(gradient[:, is_real], numeric[:, is_real], rtol=1e-4, atol=1e-5)


def test_a_tell_changes_nothing_but_the_values() -> None:
    """Values of pending points at their mean leave every prediction of the mean as it was."""
    kernel, unit = process(CUBE), places(CUBE, 40)
    values, is_pending = np.sin(4 * unit[:, 0]), np.arange(40) % 3 == 0
    told = conditioned(kernel, unit[~is_pending], values[~is_pending, None])
    points = kernel.scaled(unit)
    lower = Conditioner().factor(kernel, points)
    believed = Posterior(kernel, points, lower, fantasies(lower, values, is_pending, np.zeros((14, 1))))
    elsewhere = places(CUBE, 20, seed=1)
    np.testing.assert_allclose(believed.predict(elsewhere).mean, told.predict(elsewhere).mean, atol=1e-7)
    assert (believed.predict(elsewhere).std < told.predict(elsewhere).std).all()


def test_fantasies_have_the_exact_conditional_distribution() -> None:
    kernel, unit = process(CUBE), places(CUBE, 30)
    values, is_pending = np.cos(3 * unit[:, 1]), np.arange(30) % 4 == 1
    p = int(is_pending.sum())
    points = kernel.scaled(unit)
    lower = Conditioner().factor(kernel, points)
    covariance = lower @ lower.T
    oo, po = covariance[~is_pending][:, ~is_pending], covariance[is_pending][:, ~is_pending]
    gain = po @ np.linalg.inv(oo)
    mean = gain @ values[~is_pending]
    spread = covariance[is_pending][:, is_pending] - gain @ po.T

    wrong = np.where(is_pending, np.nan, values)
    drawn = fantasies(lower, wrong, is_pending, np.hstack([np.zeros((p, 1)), np.eye(p)]))
    np.testing.assert_array_equal(drawn[~is_pending], np.repeat(values[~is_pending, None], p + 1, axis=1))
    np.testing.assert_allclose(drawn[is_pending, 0], mean, atol=1e-9)
    root = drawn[is_pending, 1:] - mean[:, None]
    np.testing.assert_allclose(root @ root.T, spread, atol=1e-9)
    assert np.abs(np.triu(root, 1)).max() < 1e-12, "a draw moves its own value and later ones"


def test_paths_are_drawn_from_the_posterior() -> None:
    kernel, unit = process(CUBE), places(CUBE, 12)
    values = np.sin(4 * unit[:, 0])
    posterior, rng = conditioned(kernel, unit, values[:, None]), np.random.default_rng(0)
    paths = [SamplePath(posterior, values, rng) for _ in range(400)]
    elsewhere = np.vstack([places(CUBE, 6, seed=1), unit[:2]])
    drawn = np.stack([path.predict(elsewhere).mean[:, 0] for path in paths])
    expected = posterior.predict(elsewhere)
    error = drawn.mean(axis=0) - expected.mean[:, 0]
    assert (np.abs(error) < 5 * expected.std / math.sqrt(400)).all()
    np.testing.assert_allclose(drawn.std(axis=0), expected.std, rtol=0.2)

    gradient = paths[0].predict(elsewhere).pull(np.ones((8, 1)), np.zeros(8))
    numeric = slopes(lambda at: paths[0].predict(at).mean[:, 0], elsewhere)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-5)
