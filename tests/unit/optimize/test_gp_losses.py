"""How the `gp` engine makes one loss of several, and what of standard errors and bounded outcomes."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from asktell.optimize.engines.gp_losses import about_bounds, draw_weights, scalarised, shown
from asktell.optimize.hypervolume import hypervolume
from asktell.optimize.optimizer import Optimizer
from asktell.space import Real, Space

CUBE = Space({f"x{i}": Real(0.0, 1.0) for i in range(4)})
LINE = Space({"x": Real(0.0, 1.0)})


def zdt1(x: np.ndarray) -> dict[str, float]:
    """Zitzler, Deb and Thiele (2000)."""
    g = 1 + 9 * x[1:].mean()
    return {"a": x[0], "b": g * (1 - math.sqrt(x[0] / g))}


def c2_dtlz2(x: np.ndarray) -> dict[str, float]:
    """Jain and Deb (2014), with two objectives and r = 0.2: feasible where c is not negative."""
    radius = 1 + ((x[1:] - 0.5) ** 2).sum()
    a, b = radius * math.cos(x[0] * math.pi / 2), radius * math.sin(x[0] * math.pi / 2)
    corners = min((a - 1) ** 2 + b**2, a**2 + (b - 1) ** 2)
    middle = (a - math.sqrt(0.5)) ** 2 + (b - math.sqrt(0.5)) ** 2
    return {"a": a, "b": b, "c": 0.04 - min(corners, middle)}


def covered(engine: str, function: Callable, bounds: dict, seed: int) -> float:
    """The hypervolume after 40 evaluations by four workers."""
    opt = Optimizer(CUBE, {"a": "minimize", "b": "minimize"}, engine=engine, seed=seed, outcome_bounds=bounds)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        while len(opt.pending) < 4:
            opt.ask()
        number = int(rng.choice(opt.pending))
        opt.tell(number, function(CUBE.to_unit(opt.trials[number].params)))
    losses = np.array([[item.values["a"], item.values["b"]] for item in opt.front])
    return hypervolume(losses.reshape(-1, 2), [1.1, 1.1])


@pytest.mark.parametrize(
    ("function", "bounds"), [(zdt1, {}), (c2_dtlz2, {"c": (0.0, math.inf)})], ids=["zdt1", "c2_dtlz2"]
)
def test_a_front_is_covered_better_than_by_points_that_fill_the_space(
    function: Callable, bounds: dict
) -> None:
    ours, sobol = (
        [covered(engine, function, bounds, seed) for seed in range(3)] for engine in ("gp", "sobol")
    )
    assert np.median(ours) > np.median(sobol) + 0.02, (ours, sobol)


def test_the_scalarised_loss_by_hand() -> None:
    """Scaled to [0, 1]: (0, 1), (1, 0) and (0.5, 0.5), of which w = (0.75, 0.25) prefers the first."""
    losses = np.array([[10.0, 4.0], [20.0, 2.0], [15.0, 3.0]])
    found, _ = scalarised(losses, np.zeros((3, 2)), np.array([0.75, 0.25]), tail=False)
    np.testing.assert_allclose(found, [0.25 + 0.0125, 0.75 + 0.0375, 0.375 + 0.025])


@pytest.mark.parametrize("tail", [False, True])
def test_known_errors_are_carried_through_what_is_done_to_losses(tail: bool) -> None:
    """Against what a small change of one loss does to its z, nothing else being changed by it."""
    rng = np.random.default_rng(0)
    losses, errors = rng.normal(size=(2000, 2)), np.zeros((2000, 2))
    # 1e-6 is so small that the median, mean and deviation of 2000 stay as they are, to three digits.
    errors[7, 1] = 1e-6
    for columns, weights in (([1], np.ones(1)), ([0, 1], np.array([0.4, 0.6]))):
        z, variance = shown(losses[:, columns], errors[:, columns], weights, tail=tail)
        moved = shown(losses[:, columns] + errors[:, columns], errors[:, columns], weights, tail=tail).z
        assert math.sqrt(variance[7]) == pytest.approx(moved[7] - z[7], rel=5e-3)
        assert np.count_nonzero(variance) == 1


def test_weights_follow_from_seed_and_number_and_cover_the_simplex() -> None:
    drawn = np.array([draw_weights(3, 5, number) for number in range(400)])
    np.testing.assert_allclose(drawn.sum(axis=1), 1.0)
    np.testing.assert_allclose(drawn.mean(axis=0), 1 / 3, atol=0.04)
    assert drawn.max() > 0.9
    np.testing.assert_array_equal(draw_weights(3, 5, 7), drawn[7])
    assert draw_weights(1, 5, 7).tolist() == [1.0]


def test_several_objectives_are_proposed_for_as_one_worker_after_a_resume_would() -> None:
    old = Optimizer(CUBE, {"a": "minimize", "b": "maximize"}, engine="gp", initial=4)
    for _ in range(12):
        trial = old.ask()
        old.tell(trial.number, {**zdt1(CUBE.to_unit(trial.params)), "b": -trial.params["x1"]})
    fresh = Optimizer(CUBE, {"a": "minimize", "b": "maximize"}, engine="gp", initial=4)
    for trial in old.trials:
        fresh.restore(trial)
    for number in reversed(range(12)):
        params = old.trials[number].params
        fresh.tell(number, {**zdt1(CUBE.to_unit(params)), "b": -params["x1"]})
    assert [t.params for t in fresh.ask(3)] == [t.params for t in old.ask(3)]
    assert sum(fresh.trials[-1].details["weights"]) == pytest.approx(1.0, abs=1e-3)


def noisy_valley(**options: object) -> Optimizer:
    """(x - 0.7)^2 where it is well measured; at small x, wild guesses that say so, one of them very low."""
    opt = Optimizer(LINE, {"y": "minimize"}, engine="gp", initial=4, options=options)
    for x in np.linspace(0.4, 1.0, 9):
        opt.add({"x": float(x)}, {"y": (x - 0.7) ** 2, "y_std": 1e-3})
    for x, y in ((0.02, 40.0), (0.1, -50.0), (0.2, 30.0), (0.3, math.nan)):
        if math.isfinite(y):
            opt.add({"x": x}, {"y": y, "y_std": 100.0})
        else:
            opt.add({"x": x}, {"y": 0.16})
    return opt


def test_an_outlier_that_is_known_to_be_one_does_not_fool_the_model() -> None:
    """Untold, the engine looks where the one low value was; told, it looks where measurements are low."""

    def looked_at(opt: Optimizer) -> float:
        points = []
        for _ in range(4):
            trial = opt.ask()
            points.append(float(trial.params["x"]))
            opt.tell(trial.number, {"y": (points[-1] - 0.7) ** 2, "y_std": 1e-3})
        return float(np.median(np.abs(np.array(points) - 0.7)))

    assert looked_at(noisy_valley(noise="y_std")) < 0.15 < 0.4 < looked_at(noisy_valley())


def test_one_terrible_value_does_not_hide_the_valley() -> None:
    opt = Optimizer(LINE, engine="gp", initial=4)
    for x in np.linspace(0.0, 1.0, 9):
        opt.add({"x": float(x)}, 1e9 if x == 0.25 else (x - 0.7) ** 2)
    for _ in range(4):
        trial = opt.ask()
        opt.tell(trial.number, (trial.params["x"] - 0.7) ** 2)
    assert opt.best is not None
    assert abs(opt.best.params["x"] - 0.7) < 0.02, "the nearest point told lies 0.05 away"


@pytest.mark.parametrize("bounds", [(-math.inf, 2.0), (2.0, math.inf), (-1.0, 5.0)])
def test_an_outcome_keeps_its_order_about_its_bounds_however_far_some_lie(bounds: tuple) -> None:
    values = np.array([-1.7e308, -1e10, -1.0, 0.0, 1.0, 1.9, 2.0, 2.1, 3.0, 4.0, 5.0, 1e10, 1.7e308])
    shape = about_bounds(values[2:-2], *bounds)
    shown = shape(values)
    assert (np.diff(shown) > 0).all()
    np.testing.assert_allclose(shown[2:-2], (values[2:-2] - 2.0) / 30.0)  # linear, as far as both sides go
    assert np.abs(shown).max() < 10
    assert shape(np.array(bounds)) == pytest.approx([(bound - 2.0) / 30.0 for bound in bounds])


def test_an_outcome_without_bounds_or_values_is_shown_as_it_is() -> None:
    x = np.array([-3.0, 1e9])
    assert about_bounds(x, -math.inf, math.inf)(x) is x
    assert about_bounds(np.empty(0), 0.0, 1.0)(x) is x
    assert about_bounds(np.full(3, 7.0), -math.inf, 7.0)(np.array([7.0, 8.0])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("outcome", "bound"),
    [(lambda x: 1e300 if x > 0.9 else x, 0.3), (lambda x: math.exp(20.0 * x), math.exp(6.0))],
    ids=["diverging", "exponential"],
)
def test_a_bound_is_found_in_an_outcome_of_many_orders_of_magnitude(
    outcome: Callable[[float], float], bound: float
) -> None:
    opt = Optimizer(
        Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)}),
        {"loss": "minimize"},
        initial=8,
        outcome_bounds={"load": (-math.inf, bound)},
    )
    for _ in range(30):
        trial = opt.ask()
        x, y = trial.params["x"], trial.params["y"]
        opt.tell(trial.number, {"loss": (x - 0.5) ** 2 + (y - 0.7) ** 2, "load": outcome(x)})
    assert opt.best is not None
    assert opt.best.values["loss"] - 0.2**2 < 2e-3
