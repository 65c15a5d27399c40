"""The adapter, with plain scikit-optimize as its oracle."""

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import skopt
from skopt.utils import cook_estimator

from asktell.optimize.engines.scikit_optimize import frozen
from asktell.optimize.optimizer import Optimizer
from asktell.optimize.pending import standardised
from asktell.space import Boolean, Categorical, Constant, Integer, Ordinal, Real, Space
from asktell.trial import Origin, Params, Trial

PLANE = Space({"x": Real(-5.0, 10.0), "y": Real(0.0, 15.0)})
MIXED = Space(
    {
        "step": Real(0.01, 10.0, log=True),
        "n": Integer(1, 40),
        "grade": Ordinal([1, 2, 5, 10]),
        "method": Categorical(["a", "b", "c"]),
        "fast": Boolean(),
        "angle": Real(0.0, 90.0, when={"method": ["b", "c"]}),
        "deep": Integer(1, 3, when={"method": ["c"]}),
        "version": Constant(3),
    },
    ["step * n < 100"],
)


def branin(x: float, y: float) -> float:
    hill = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return hill + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def bowl(params: Params) -> float:
    return abs(math.log(float(params["step"]))) + abs(int(params["n"]) - 20) / 10 + 2 * params["fast"]


def told(space: Space, objective: Callable[..., float], n: int, **options: object) -> Optimizer:
    """An optimizer that was told n random points; its next proposal comes from the model."""
    opt = Optimizer(space, engine="skopt", initial=4, options=options)
    for params in space.sample(np.random.default_rng(11), n):
        opt.add(params, objective(params))
    return opt


def places(space: Space, trials: list[Trial] | tuple[Trial, ...]) -> np.ndarray:
    return space.to_unit_many([trial.params for trial in trials])


def smallest_distance(unit: np.ndarray) -> float:
    pairs = np.abs(unit[:, None, :] - unit[None, :, :]).max(axis=2)
    return float(pairs[np.triu_indices(len(unit), 1)].min())


@pytest.mark.parametrize(("estimator", "acquisition"), [("GP", "EI"), ("GP", "LCB"), ("ET", "EI")])
def test_without_pending_trials_it_proposes_what_plain_skopt_does(estimator: str, acquisition: str) -> None:
    space = Space({"x": Real(-5.0, 10.0), "y": Real(0.0, 15.0)})
    opt = told(space, lambda p: branin(**p), 15, estimator=estimator, acquisition=acquisition, tail=False)
    losses = np.array([branin(**t.params) for t in opt.trials])
    oracle = skopt.Optimizer(
        [(-5.0, 10.0), (0.0, 15.0)] if estimator == "GP" else [(0.0, 1.0)] * 2,
        estimator,
        n_initial_points=0,
        acq_func=acquisition,
        random_state=int(np.random.SeedSequence([0, 15]).generate_state(1)[0]),
        acq_func_kwargs={"xi": 0.0},
        acq_optimizer_kwargs={"n_points": 2000},
    )
    points = (
        [list(t.params.values()) for t in opt.trials]
        if estimator == "GP"
        else places(space, opt.trials).tolist()
    )
    oracle.tell(points, ((losses - losses.mean()) / losses.std()).tolist())
    expected = np.array(oracle.ask()) if estimator == "GP" else np.array(oracle.ask()) * 15 - [5, 0]
    trial = opt.ask()
    assert trial.origin is Origin.MODEL
    # skopt seeds its own estimator from its generator; ours is seeded before: the fits agree, not their bits.
    np.testing.assert_allclose(list(trial.params.values()), expected, atol=0.05 if estimator == "GP" else 8.0)


@pytest.mark.parametrize("estimator", ["GP", "ET", "RF"])
def test_units_of_the_objective_do_not_matter(estimator: str) -> None:
    def propose(scale: float, offset: float) -> list[float]:
        opt = told(PLANE, lambda p: scale * branin(**p) + offset, 12, estimator=estimator)
        return list(opt.ask().params.values())  # type: ignore[arg-type]  # all real

    np.testing.assert_allclose(propose(1.0, 0.0), propose(2.0**-40, 0.0), atol=1e-3)
    np.testing.assert_allclose(propose(1.0, 0.0), propose(1024.0, 4096.0), atol=1e-2)


@pytest.mark.parametrize("options", [{"pending": lie} for lie in ("min", "mean", "max", "believer")])
def test_sixteen_pending_points_are_never_proposed_again(options: dict) -> None:
    opt = told(PLANE, lambda p: branin(**p), 8, n_candidates=100, **options)
    running = [opt.ask() for _ in range(16)]
    for trial in running[::3]:
        opt.tell(trial.number, branin(**trial.params))
        opt.ask()
    assert {t.origin for t in opt.trials[8:]} == {Origin.MODEL}
    assert smallest_distance(places(PLANE, opt.trials)) > 1e-6


def test_a_joint_group_spreads_and_begins_where_a_single_ask_would() -> None:
    one, other = (told(PLANE, lambda p: branin(**p), 12) for _ in range(2))
    group = one.ask(4)
    assert group[0].params == other.ask().params
    assert smallest_distance(places(PLANE, group)) > 1e-3


def test_mixed_conditional_constrained_spaces_get_native_feasible_points() -> None:
    opt = told(MIXED, bowl, 10)
    for _ in range(3):
        for trial in opt.ask(2):
            assert MIXED.validate(trial.params) == trial.params
            assert MIXED.is_feasible(trial.params)
            assert {type(v) for v in trial.params.values()} <= {int, float, str, bool}
            opt.tell(trial.number, bowl(trial.params))
    assert smallest_distance(places(MIXED, opt.trials)) > 1e-6
    assert opt.best is not None
    assert opt.best.number >= 10, "six proposals did not beat ten random points"


@pytest.mark.parametrize(
    "objective",
    [
        lambda p: 0.0,
        lambda p: 7.5,
        lambda p: 1e300 * (1.0 if p["x"] > 0 else -1.0),
        lambda p: 1e12 if p["x"] > 5 else p["y"],
        lambda p: float(p["x"] > 0),
    ],
    ids=["zero", "constant", "overflowing", "outliers", "step"],
)
@pytest.mark.parametrize("estimator", ["GP", "ET"])
def test_losses_of_any_kind_can_be_told(objective: Callable[[Params], float], estimator: str) -> None:
    opt = told(PLANE, objective, 4, estimator=estimator, pending="believer")
    opt.ask(2)
    assert opt.ask().origin is Origin.MODEL


def test_a_region_that_fails_is_left() -> None:
    opt = Optimizer(PLANE, engine="skopt", seed=2, initial=8)
    for _ in range(30):
        trial = opt.ask()
        if trial.params["x"] > 2.0:
            opt.fail(trial.number)
        else:
            opt.tell(trial.number, branin(**trial.params))
    assert opt.history().is_failed[-12:].sum() <= 6
    assert smallest_distance(places(PLANE, opt.trials)) > 1e-6


def test_results_out_of_bounds_are_avoided() -> None:
    """The lowest loss, -5, is forbidden; the lowest that is allowed, 5, lies at the edge."""
    opt = Optimizer(
        PLANE, {"loss": "minimize"}, engine="skopt", seed=1, initial=8, outcome_bounds={"load": (0.0, 9.0)}
    )
    for _ in range(20):
        trial = opt.ask()
        loss = trial.params["x"] + trial.params["y"]
        opt.tell(trial.number, {"loss": loss, "load": 14.0 - loss})
    assert opt.best is not None
    assert 5.0 <= opt.best.values["loss"] < 6.5
    assert np.median(opt.history().losses[-12:]) > 3.0


def test_when_everything_fails_the_design_goes_on() -> None:
    opt = Optimizer(PLANE, engine="skopt", initial=3)
    for _ in range(12):
        opt.fail(opt.ask().number)
    assert {t.origin for t in opt.trials} == {Origin.INITIAL}


def test_the_model_waits_for_half_of_the_design_to_be_told() -> None:
    opt = Optimizer(PLANE, engine="skopt", initial=6)
    group = opt.ask(8)
    for trial in group[:2]:
        opt.tell(trial.number, branin(**trial.params))
    assert opt.ask().origin is Origin.INITIAL
    opt.tell(2, 1.0)
    assert opt.ask().origin is Origin.MODEL


def test_what_explains_a_proposal_is_kept() -> None:
    opt = told(MIXED, bowl, 10)
    opt.ask()
    trial = opt.ask()
    assert trial.acquisition is not None
    assert trial.details["estimator"] == "GP"
    assert trial.details["pending"] == "believer"
    assert len(trial.details["length_scales"]) == 3 + 3 + 1 + 2
    assert (trial.engine, trial.pending, trial.told) == ("skopt", (10,), 10)


def test_length_scales_are_fitted_to_a_part_of_many_points() -> None:
    few, all_ = (told(PLANE, lambda p: branin(**p), 40, fit_points=limit) for limit in (30, 40))
    np.testing.assert_allclose(
        few.ask().details["length_scales"], all_.ask().details["length_scales"], rtol=0.5
    )


def test_a_believed_loss_leaves_the_surrogate_as_it_is() -> None:
    """Told the mean at a pending point, a process of the same hyperparameters predicts the same means."""
    rng = np.random.default_rng(4)
    points, pending, elsewhere = rng.random((20, 2)), rng.random((3, 2)), rng.random((50, 2))
    z = standardised(np.array([branin(15 * x - 5, 15 * y) for x, y in points]), tail=True)
    with warnings.catch_warnings(action="ignore"):  # the noise ends at its lower bound: there is none
        fitted = cook_estimator("GP", space=[(0.0, 1.0)] * 2, random_state=0).fit(points, z)
    believed = frozen(fitted).fit(np.vstack([points, pending]), np.append(z, fitted.predict(pending)))
    np.testing.assert_allclose(believed.predict(elsewhere), fitted.predict(elsewhere), atol=1e-2)
    again = frozen(fitted).fit(points, z)
    np.testing.assert_allclose(again.predict(elsewhere), fitted.predict(elsewhere), atol=1e-9)
    assert (believed.predict(pending, return_std=True)[1] < fitted.predict(pending, return_std=True)[1]).all()
