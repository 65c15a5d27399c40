"""Groups of points that are to be evaluated together, each way against its definition."""

import math
from dataclasses import replace

import numpy as np
import pytest

from asktell.errors import SpaceExhausted
from asktell.optimize.acquisition import log_expected_improvement
from asktell.optimize.engines.gp_batch import best_in_turn, best_of_clusters
from asktell.optimize.engines.options import Batch
from asktell.optimize.optimizer import Optimizer
from asktell.optimize.surrogate import Posterior
from asktell.space import Categorical, Integer, Real, Space
from asktell.trial import Origin

LINE = Space({"x": Real(0.0, 1.0)})
PLANE = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})


def waves(**params: float) -> float:
    return sum(math.cos(13 * x) for x in params.values())


def told(space: Space, n: int = 8, **options: object) -> Optimizer:
    opt = Optimizer(space, engine="gp", initial=4, options=options)
    for params in space.sample(np.random.default_rng(3), n):
        opt.add(params, waves(**params))
    return opt


def points(trials: list) -> list[dict]:
    return [trial.params for trial in trials]


@pytest.mark.parametrize("batch", Batch)
def test_a_group_spreads_over_the_valleys_and_is_reproducible(batch: Batch) -> None:
    opt, again = told(PLANE, 12, batch=batch), told(PLANE, 12, batch=batch)
    group = opt.ask(6)
    assert points(group) == points(again.ask(6))
    assert {trial.origin for trial in group} == {Origin.MODEL}
    unit = PLANE.to_unit_many(points(group))
    distances = np.abs(unit[:, None] - unit[None]).max(axis=2)[np.triu_indices(6, 1)]
    assert distances.min() > 1e-4
    assert distances.max() > 0.3, "all in one place"


@pytest.mark.parametrize("batch", Batch)
def test_a_group_of_what_is_left_of_a_small_space(batch: Batch) -> None:
    space = Space({"n": Integer(1, 5), "m": Categorical(["a", "b"])})
    opt = Optimizer(space, engine="gp", initial=2, options={"batch": batch})
    for trial in opt.ask(4):
        opt.tell(trial.number, float(trial.params["n"]))
    left = opt.ask(9)
    assert len(left) == 6
    assert len({tuple(trial.params.values()) for trial in opt.trials}) == 10


LONG = {"max_points": 100, "pending": "believer"}


def test_points_of_a_group_in_a_long_study_are_chosen_in_turn() -> None:
    """Each is the candidate of largest expected improvement given the means of those before it."""
    opt = told(PLANE, 120, **LONG)
    task = opt._engine._task(opt.history(), 120)
    view = opt._engine._surrogates.view(task)
    posterior, unit = view.posterior, np.random.default_rng(1).random((60, 2))
    criterion = opt._engine._criterion(view, task)
    values = criterion.value(unit)
    order = np.argsort(-values)
    unit, values = unit[order], values[order]
    chosen = best_in_turn(criterion, posterior, unit, values, np.zeros((4, 1)), counts=True)

    kernel, points, z = posterior.kernel, posterior.points, view.values
    best, expected = criterion.best, []
    for _ in range(4):
        k = kernel.between(points, points) + kernel.hyper.noise * np.eye(len(points))
        now = Posterior(kernel, points, np.asfortranarray(np.linalg.cholesky(k)), z)
        at = now.predict(unit)
        worth = log_expected_improvement(at.mean, at.std, best).value[:, 0]
        expected.append((int(worth.argmax()), worth.max()))
        i = expected[-1][0]
        points, z = np.vstack([points, kernel.scaled(unit[[i]])]), np.vstack([z, at.mean[[i]]])
        best = np.minimum(best, at.mean[i])
    assert [i for i, _ in chosen] == [i for i, _ in expected]
    assert [value for _, value in chosen] == pytest.approx([value for _, value in expected], rel=1e-6)


def test_points_are_chosen_where_expected_improvement_is_zero_to_the_last_digit() -> None:
    opt = told(PLANE, 120, **LONG, acquisition="ei")
    task = opt._engine._task(opt.history(), 120)
    view = opt._engine._surrogates.view(task)
    linear = opt._engine._criterion(view, task)
    linear = replace(linear, best=linear.best - 1e4)
    unit, draws = np.random.default_rng(1).random((60, 2)), np.zeros((4, 1))
    assert not linear.value(unit).any()
    chosen, expected = (
        best_in_turn(
            criterion,
            view.posterior,
            unit,
            criterion.logarithm(unit, criterion.value(unit)),
            draws,
            counts=True,
        )
        for criterion in (linear, replace(linear, is_linear=False))
    )
    assert len(chosen) == 4
    assert [i for i, _ in chosen] == [i for i, _ in expected]


def test_a_large_group_of_a_long_study_has_no_point_twice() -> None:
    opt = told(PLANE, 120, max_points=100)
    opt.ask(40)
    unit = PLANE.to_unit_many(points(list(opt.trials)))
    distances = np.abs(unit[:, None] - unit[None]).max(axis=2)[np.triu_indices(160, 1)]
    assert distances.min() > 1e-6
    assert {trial.origin for trial in opt.trials[120:]} == {Origin.MODEL}


@pytest.mark.parametrize("batch", Batch)
def test_a_long_study_comes_to_the_end_of_its_space(batch: Batch) -> None:
    """More points were asked than are conditioned on; the last group is what is left."""
    space = Space({"n": Integer(1, 55), "m": Categorical(["a", "b"])})
    opt = Optimizer(space, engine="gp", initial=4, options={"batch": batch, "max_points": 100})
    for params in list(space.grid(levels=1))[:105]:
        opt.add(params, float(params["n"]))
    assert len(opt.ask(9)) == 5
    with pytest.raises(SpaceExhausted):
        opt.ask(9)


def test_what_a_point_adds_to_q_ei_is_its_definition() -> None:
    """E[max(best - min(f_1, f_2), 0)] - E[max(best - f_1, 0)], drawn from the joint normal of both."""
    opt = told(LINE, 5, batch="qei")
    engine, before = opt._engine, opt.history()
    first = opt.ask()
    task = engine._task_of_group(before, opt.history(), first.number, first.number + 1)  # type: ignore[attr-defined]  # of gp
    view = engine._surrogates.view(task)  # type: ignore[attr-defined]  # of gp
    asked = np.array([[0.05], [0.45], [0.8]])
    found = np.exp(engine._criterion(view, task).value(asked))  # type: ignore[attr-defined]  # of gp

    kernel, seen, x = view.posterior.kernel, len(before.unit), LINE.to_unit(first.params)[None]
    a, z = kernel.scaled(before.unit), view.values[:seen, 0]
    k = kernel.between(a, a) + kernel.hyper.noise * np.eye(seen)
    best = (z - kernel.hyper.noise * np.linalg.solve(k, z)).min()
    rng = np.random.default_rng(0)
    for at, value in zip(asked, found, strict=True):
        b = kernel.scaled(np.vstack([x, at]))
        cross = np.linalg.solve(k, kernel.between(a, b)).T
        covariance = kernel.between(b, b) - cross @ kernel.between(a, b)
        f = rng.multivariate_normal(cross @ z, covariance, 200_000)
        gains = np.maximum(best - f.min(axis=1), 0) - np.maximum(best - f[:, 0], 0)
        assert value == pytest.approx(gains.mean(), rel=0.15, abs=1e-4)


def test_thompson_draws_a_function_for_each_from_one_posterior() -> None:
    """As single proposals do that take no notice of what is running."""
    group = told(PLANE, batch="thompson").ask(3)
    single = told(PLANE, acquisition="thompson", pending="none")
    assert points(group) == points([single.ask() for _ in range(3)])


def test_local_penalisation_of_a_group_is_that_of_pending_points() -> None:
    group = told(PLANE, batch="local_penalisation").ask(3)
    single = told(PLANE, pending="local_penalisation")
    assert points(group) == points([single.ask() for _ in range(3)])


def test_what_keeps_a_gibbon_group_apart_is_the_determinant_of_its_correlations() -> None:
    """1/2 log det of a pair's is 1/2 log(1 - c^2), c the correlation of two measurements."""
    opt = told(LINE, 5, acquisition="gibbon")
    opt.enqueue({"x": 0.41})
    opt.ask()
    engine, history = opt._engine, opt.history()
    task = engine._task(history, 6)  # type: ignore[attr-defined]  # of gp
    view = engine._surrogates.view(task)  # type: ignore[attr-defined]  # of gp
    (keeper,) = engine._criterion(view, task).apart  # type: ignore[attr-defined]  # of gp
    kernel = view.posterior.kernel
    a, b = kernel.scaled(history.unit[:5]), kernel.scaled(np.array([[0.41], [0.45]]))
    k = kernel.between(a, a) + kernel.hyper.noise * np.eye(5)
    cross = kernel.between(a, b)
    covariance = kernel.between(b, b) + kernel.hyper.noise * np.eye(2) - cross.T @ np.linalg.solve(k, cross)
    squared = covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1])
    value, _ = keeper.term(np.array([[0.45]]))
    assert value[0] == pytest.approx(0.5 * math.log(1 - squared), rel=1e-4)


def test_clusters_by_hand() -> None:
    """Two hills on a line, of which the higher one's top is row 1, the lower one's row 4."""
    x = np.array([0.0, 0.1, 0.2, 0.8, 0.9, 1.0])[:, None]
    log_values = np.log([1.0, 3.0, 2.0, 0.5, 1.5, 0.4])
    rng = np.random.default_rng(0)
    assert best_of_clusters(x, log_values, 1, rng) == [1]
    assert best_of_clusters(x, log_values, 2, rng) == [1, 4]
    assert best_of_clusters(x, log_values, 6, rng) == [1, 2, 4, 0, 3, 5]
    assert best_of_clusters(x, log_values, 9, rng) == [1, 2, 4, 0, 3, 5]
    assert best_of_clusters(np.vstack([x[:2]] * 3), np.zeros(6), 4, rng) == [0, 1], "equal points are one"


def test_clusters_lie_where_the_acquisition_is_not_where_candidates_are() -> None:
    """Many worthless candidates on the left; both clusters are spent on the two hills on the right."""
    x = np.concatenate([np.linspace(0.0, 0.1, 20), [0.6, 0.61, 0.9, 0.91]])[:, None]
    log_values = np.concatenate([np.full(20, -50.0), [0.0, -0.1, -0.2, -0.3]])
    assert best_of_clusters(x, log_values, 2, np.random.default_rng(0)) == [20, 22]
