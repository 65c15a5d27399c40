"""The `gp` engine as its users meet it, through an optimizer."""

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest

from asktell.optimize.engines.gp_criterion import Limit, Penaliser, Repulsion, Sum
from asktell.optimize.engines.gp_rows import FIRST, local_centre, local_rows, settled
from asktell.optimize.engines.gp_search import Region, Search
from asktell.optimize.engines.options import GaussianProcessOptions, Pending
from asktell.optimize.optimizer import Optimizer
from asktell.optimize.pending import Taken
from asktell.space import Boolean, Categorical, Constant, Integer, Ordinal, Real, Space
from asktell.trial import Origin, Params

PLANE = Space({"x": Real(-5.0, 10.0), "y": Real(0.0, 15.0)})
MIXED = Space(
    {
        "step": Real(0.01, 10.0, log=True),
        "n": Integer(1, 400),
        "grade": Ordinal([1, 2, 5, 10]),
        "method": Categorical(["a", "b", "c"]),
        "fast": Boolean(),
        "angle": Real(0.0, 90.0, when={"method": ["b", "c"]}),
        "deep": Integer(1, 3, when={"method": ["c"]}),
        "version": Constant(3),
    },
    ["step * n < 1000"],
)
ACQUISITIONS = get_args(GaussianProcessOptions.model_fields["acquisition"].annotation)


def branin(x: float, y: float) -> float:
    hill = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return hill + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


BRANIN_MINIMUM = 0.397887


def mixed(params: Params) -> float:
    """0 at its minimum: method c, deep 2, angle 45, step 1, n 137, grade 5, fast."""
    lost = abs(math.log10(float(params["step"]))) + abs(int(params["n"]) - 137) / 100
    lost += {1: 0.6, 2: 0.3, 5: 0.0, 10: 0.4}[int(params["grade"])] + (0.0 if params["fast"] else 0.5)
    if params["method"] == "a":
        return lost + 1.0
    lost += abs(float(params["angle"]) - 45) / 45
    return lost + (0.4 if params["method"] == "b" else 0.2 * abs(int(params["deep"]) - 2))


def new(space: Space = PLANE, *, seed: int = 0, initial: int = 6, **options: object) -> Optimizer:
    return Optimizer(space, engine="gp", seed=seed, initial=initial, options=options)


def told(
    n: int, space: Space = PLANE, objective: Callable[..., float] = branin, **options: object
) -> Optimizer:
    """An optimizer that was told n random points; its next proposal comes from the model."""
    opt = new(space, **options)
    for params in space.sample(np.random.default_rng(11), n):
        opt.add(params, objective(**params))
    return opt


def minimise(opt: Optimizer, objective: Callable[[Params], float], n: int, workers: int = 1) -> None:
    """n evaluations by workers that end in no particular order."""
    rng = np.random.default_rng(5)
    for _ in range(n):
        while len(opt.pending) < workers:
            opt.ask()
        number = int(rng.choice(opt.pending))
        opt.tell(number, objective(opt.trials[number].params))


def smallest_distance(opt: Optimizer) -> float:
    unit = opt.space.to_unit_many([trial.params for trial in opt.trials])
    pairs = np.abs(unit[:, None, :] - unit[None, :, :]).max(axis=2)
    return float(pairs[np.triu_indices(len(unit), 1)].min())


def restored(opt: Optimizer, **options: object) -> Optimizer:
    """Another optimizer with the same history, told in another order."""
    again = Optimizer(opt.space, engine="gp", initial=6, options=options)
    history = opt.history()
    for trial in opt.trials:
        again.restore(trial)
    for number in reversed(range(len(opt.trials))):
        if history.is_told[number]:
            again.tell(number, float(history.losses[number, 0]))
        elif history.is_failed[number]:
            again.fail(number)
    return again


@pytest.mark.parametrize("workers", [1, 8])
def test_branin_is_solved(workers: int) -> None:
    regrets = []
    for seed in range(3):
        opt = new(seed=seed)
        minimise(opt, lambda p: branin(**p), 40, workers)
        assert opt.best is not None
        regrets.append(opt.best.values["objective"] - BRANIN_MINIMUM)
    assert np.median(regrets) < 1e-2, regrets


def test_a_mixed_space_is_searched_in_all_its_parts() -> None:
    opt = new(MIXED, initial=12)
    minimise(opt, mixed, 60, workers=2)
    for trial in opt.trials:
        assert MIXED.validate(trial.params) == trial.params
        assert MIXED.is_feasible(trial.params)
        assert {type(v) for v in trial.params.values()} <= {int, float, str, bool}
    assert smallest_distance(opt) > 1e-6
    assert opt.best is not None
    assert opt.best.values["objective"] < 0.2
    assert (opt.best.params["method"], opt.best.params["grade"], opt.best.params["fast"]) == ("c", 5, True)


@pytest.mark.parametrize("pending", Pending)
def test_pending_points_are_kept_away_from_in_every_way_there_is(pending: Pending) -> None:
    opt = told(12, pending=pending)
    opt.ask(8)
    assert {trial.origin for trial in opt.trials[12:]} == {Origin.MODEL}
    assert smallest_distance(opt) > 1e-6
    assert opt.trials[-1].details["pending"] == pending


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_every_acquisition_finds_the_valley(acquisition: str) -> None:
    opt = new(acquisition=acquisition, seed=1)
    minimise(opt, lambda p: branin(**p), 30, workers=2)
    assert opt.best is not None
    assert opt.best.values["objective"] - BRANIN_MINIMUM < 0.3
    assert smallest_distance(opt) > 1e-6


@pytest.mark.parametrize(
    ("n", "options"),
    [
        (20, {}),
        (130, {}),
        (130, {"max_points": 100}),
        (40, {"pending": "local_penalisation"}),
        (40, {"pending": "mean"}),
    ],
    ids=str,
)
def test_a_fresh_process_proposes_what_an_old_one_does(n: int, options: dict) -> None:
    """Bit for bit, with points running, failed, and told out of order.

    A joint group too, which in a short study is what as many single proposals are.
    """
    old = told(n, **options)
    rng = np.random.default_rng(2)
    for turn in range(6):
        old.ask(3)
        running = old.pending
        number = int(rng.choice(running))
        if turn % 3 == 2:
            old.fail(number)
        else:
            old.tell(number, branin(**old.trials[number].params))
    fresh = restored(old, **options)
    is_long = len(old.trials) > options.get("max_points", 1000)
    again = fresh.ask(3) if is_long else [fresh.ask() for _ in range(3)]
    group = old.ask(3)
    assert [(t.params, t.acquisition, t.details) for t in group] == [
        (t.params, t.acquisition, t.details) for t in again
    ]
    assert {t.origin for t in group} == {Origin.MODEL}


def test_units_of_the_objective_do_not_matter() -> None:
    def propose(scale: float, offset: float) -> list:
        opt = told(15, objective=lambda x, y: scale * branin(x, y) + offset)
        return list(opt.ask().params.values())

    np.testing.assert_allclose(propose(1.0, 0.0), propose(2.0**-40, 0.0), atol=1e-4)
    np.testing.assert_allclose(propose(1.0, 0.0), propose(1024.0, 4096.0), atol=1e-2)


@pytest.mark.parametrize(
    "objective",
    [
        lambda x, y: 0.0,
        lambda x, y: 1e300 * (1.0 if x > 0 else -1.0),
        lambda x, y: 1e12 if x > 5 else y,
        lambda x, y: float(x > 0),
    ],
    ids=["constant", "overflowing", "outliers", "step"],
)
def test_losses_of_any_kind_can_be_told(objective: Callable[..., float]) -> None:
    opt = told(8, objective=objective)
    minimise(opt, lambda p: objective(**p), 6, workers=3)
    assert {trial.origin for trial in opt.trials[8:]} == {Origin.MODEL}


def test_noise_is_learned_and_a_lucky_value_is_no_incumbent() -> None:
    rng = np.random.default_rng(0)
    noisy = told(60, objective=lambda x, y: math.sin(x / 3) + 0.3 * rng.normal())
    quiet = told(60, objective=lambda x, y: math.sin(x / 3))
    assert noisy.ask().details["noise"] > 100 * quiet.ask().details["noise"]


def test_a_region_that_fails_is_left() -> None:
    """Two of the three wells lie in the half that fails; the loss falls towards one of them."""
    failures, regrets = [], []
    for seed in range(3):
        opt = new(seed=seed, initial=8)
        for _ in range(36):
            trial = opt.ask()
            if trial.params["x"] > 2.0:
                opt.fail(trial.number)
            else:
                opt.tell(trial.number, branin(**trial.params))
        assert opt.best is not None
        failures.append(opt.history().is_failed[-16:].mean())
        regrets.append(opt.best.values["objective"] - BRANIN_MINIMUM)
    assert np.mean(failures) < 0.35, "half of random points fail"
    assert np.median(regrets) < 0.05


def test_the_edge_of_what_is_allowed_is_found() -> None:
    """The lowest loss is forbidden; the lowest that is allowed, 5, lies at the edge."""
    opt = Optimizer(
        PLANE, {"loss": "minimize"}, engine="gp", seed=1, initial=6, outcome_bounds={"load": (0, 9)}
    )
    for _ in range(20):
        trial = opt.ask()
        loss = trial.params["x"] + trial.params["y"]
        opt.tell(trial.number, {"loss": loss, "load": 14.0 - loss})
    assert opt.best is not None
    assert 5.0 <= opt.best.values["loss"] < 5.1


def test_without_a_feasible_point_one_is_looked_for() -> None:
    opt = Optimizer(PLANE, {"loss": "minimize"}, engine="gp", initial=6, outcome_bounds={"load": (-1.0, 0.0)})
    for _ in range(20):
        trial = opt.ask()
        opt.tell(
            trial.number,
            {"loss": trial.params["x"], "load": math.hypot(trial.params["x"] - 8, trial.params["y"] - 2) - 1},
        )
    assert opt.best is not None, "the disc of 1 % of the plane was not found"


def test_when_everything_fails_the_design_goes_on() -> None:
    opt = new(initial=3)
    for _ in range(12):
        opt.fail(opt.ask().number)
    assert {t.origin for t in opt.trials} == {Origin.INITIAL}


def test_what_explains_a_proposal_is_kept() -> None:
    opt = told(10, MIXED, lambda **p: mixed(p))
    opt.ask()
    trial = opt.ask()
    assert trial.acquisition is not None
    assert len(trial.details["length_scales"]) == MIXED.dims
    assert (trial.details["fitted"], trial.details["conditioned"]) == (10, 11)
    assert (trial.engine, trial.pending, trial.told) == ("gp", (10,), 10)


def test_late_results_rarely_lead_to_another_fit() -> None:
    """16 workers, one of which never comes back: fits are few, and on most of what is known."""
    is_pending = np.zeros(600, dtype=bool)
    is_pending[[3, *range(584, 600)]] = True
    assert settled(is_pending) > 500
    assert settled(is_pending[:120]) == 115
    assert settled(np.ones(600, dtype=bool)) == FIRST
    counts = [settled(np.arange(n) >= n - 16) for n in range(100, 2000)]
    assert counts == sorted(counts)
    assert len(set(counts)) < 25


def test_local_rows_are_the_neighbours_of_one_centre_and_a_little_of_everything() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((5000, 3))
    losses = ((points - 0.3) ** 2).sum(axis=1)
    is_pending = np.arange(5000) >= 4900
    losses[is_pending] = np.nan
    centres = [local_centre(losses, rng) for _ in range(200)]
    best = np.argsort(losses)[:8]
    assert not is_pending[centres].any()
    assert 0.6 < np.isin(centres, best).mean() < 0.9
    rows, near = local_rows(points, points[best[0]], losses, is_pending, 400)
    assert len(rows) == 400
    assert (np.diff(rows) > 0).all()
    assert np.isin(near, rows).all()
    assert np.isin(best, rows).all()
    assert is_pending[near].sum() == 100
    assert np.ptp(points[near][~is_pending[near]], axis=0).max() < 0.7 * np.ptp(points[rows], axis=0).max()


class Bowl:
    """-|u - target|^2, as a criterion."""

    def __init__(self, target: np.ndarray) -> None:
        self.target = target

    def value(self, unit: np.ndarray) -> np.ndarray:
        return -((unit - self.target) ** 2).sum(axis=1)

    def with_gradient(self, unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.value(unit), -2 * (unit - self.target)


def everywhere(space: Space) -> Region:
    d = space.dims
    return Region(
        space.to_unit_many(space.sample(np.random.default_rng(3), 3)), np.ones(d), np.zeros(d), np.ones(d)
    )


def test_a_search_finds_the_best_point_of_a_mixed_space() -> None:
    target = {
        "step": 2.0,
        "n": 333,
        "grade": 5,
        "method": "c",
        "fast": True,
        "angle": 30.0,
        "deep": 3,
        "version": 3,
    }
    bowl = Bowl(MIXED.to_unit(target))
    found = Search(MIXED).best(bowl, everywhere(MIXED), Taken(np.empty((0, 7))), np.random.default_rng(0))
    assert found is not None
    params, value = found
    assert {k: v for k, v in params.items() if not isinstance(v, float)} == {
        k: v for k, v in target.items() if not isinstance(v, float)
    }
    assert value > -1e-4


def test_a_search_ends_on_the_constraint_that_holds_it_back() -> None:
    space = Space({"a": Real(0.0, 1.0), "b": Real(0.0, 1.0)}, ["a + b < 1"])
    found = Search(space).best(
        Bowl(np.array([0.9, 0.7])), everywhere(space), Taken(np.empty((0, 2))), np.random.default_rng(0)
    )
    assert found is not None
    np.testing.assert_allclose(list(found[0].values()), [0.6, 0.4], atol=0.02)


def test_what_is_taken_is_never_the_best() -> None:
    bowl = Bowl(np.array([0.25, 0.25]))
    taken = Taken(np.array([[0.25, 0.25]]))
    found = Search(PLANE).best(bowl, everywhere(PLANE), taken, np.random.default_rng(0))
    assert found is not None
    assert PLANE.to_unit(found[0]) not in taken


def criterion_of(kind: str) -> Sum:
    """Each kind of criterion that the engine builds, on Branin."""
    options = {"pending": "local_penalisation"} if kind == "penalised" else {"acquisition": kind}
    opt = told(14, **({} if kind == "limited" else options))
    engine = opt._engine
    opt.ask(3)
    if kind == "limited":
        opt.fail(opt.ask().number)
    task = engine._task(opt.history(), 0)  # type: ignore[attr-defined]  # of gp
    return engine._criterion(engine._surrogates.view(task), task)  # type: ignore[attr-defined]  # of gp


@pytest.mark.parametrize("kind", [*ACQUISITIONS, "penalised", "limited"])
def test_a_criterion_has_its_own_gradient(kind: str) -> None:
    criterion = criterion_of(kind)
    if kind == "limited":
        assert isinstance(criterion.limits[0], Limit)
    keepers = {"penalised": [Penaliser], "gibbon": [Repulsion]}
    assert [type(keeper) for keeper in criterion.apart] == keepers.get(kind, [])
    unit = np.random.default_rng(1).random((6, 2))
    value, gradient = criterion.with_gradient(unit)
    np.testing.assert_allclose(value, criterion.value(unit))
    for column, e in enumerate(np.eye(2) * 1e-6):
        numeric = (criterion.value(unit + e) - criterion.value(unit - e)) / 2e-6
        np.testing.assert_allclose(gradient[:, column], numeric, rtol=2e-3, atol=1e-4)
