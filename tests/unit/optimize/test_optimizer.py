import itertools
import math

import numpy as np
import pytest

from asktell.errors import SpaceError, TrialError
from asktell.optimize.optimizer import Optimizer
from asktell.space import Categorical, Integer, Real, Space
from asktell.trial import Origin

SPACE = Space({"x": Real(0.0, 1.0), "n": Integer(1, 9), "m": Categorical(["a", "b"])}, ["n > 10 * x"])


def optimizer(**options: object) -> Optimizer:
    return Optimizer(SPACE, engine="random", **options)  # type: ignore[arg-type]  # whatever the test wants


def test_numbers_count_from_zero_over_asked_enqueued_and_added() -> None:
    opt = optimizer()
    opt.enqueue({"x": 0.1, "n": 4.0, "m": "a"})
    queued = opt.ask()
    added = opt.add({"x": 0.2, "n": 8, "m": "b"}, 1.5)
    group = opt.ask(3)
    assert [t.number for t in opt.trials] == list(range(5))
    assert queued.params == {"x": 0.1, "n": 4, "m": "a"}
    assert (queued.origin, added.origin) == (Origin.QUEUED, Origin.ADDED)
    assert (group[0].pending, group[2].pending) == ((0,), (0, 2, 3))
    assert [t.told for t in group] == [1, 1, 1]
    assert opt.pending == (0, 2, 3, 4)


def test_a_queue_is_first_in_first_out_and_may_repeat_a_point() -> None:
    opt = optimizer()
    points = [{"x": 0.0, "n": n, "m": "a"} for n in (3, 2, 3)]
    for point in points:
        opt.enqueue(point)
    group = opt.ask(4)
    assert [t.params for t in group[:3]] == points
    assert group[3].origin is Origin.RANDOM


def test_points_that_do_not_belong_to_the_space_are_refused() -> None:
    opt = optimizer()
    with pytest.raises(SpaceError, match="n > 10"):
        opt.enqueue({"x": 0.9, "n": 1, "m": "a"})
    with pytest.raises(SpaceError, match="m"):
        opt.add({"x": 0.0, "n": 1, "m": "c"}, 1.0)
    assert opt.trials == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (math.nan, r"use fail\(number\)"),
        (-math.inf, r"use fail\(number\)"),
        ("good", "not a number"),
        ({"other": 1.0}, "objective is missing, it has other"),
        ({}, "it has no values"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_and_the_trial_stays_pending(
    values: object, message: str
) -> None:
    opt = optimizer()
    opt.ask()
    with pytest.raises(TrialError, match=message):
        opt.tell(0, values)  # type: ignore[arg-type]  # wrong on purpose
    opt.tell(0, np.float32(2.0))
    assert opt.best is not None
    assert opt.best.values == {"objective": 2.0}


def test_a_trial_ends_once() -> None:
    opt = optimizer()
    opt.ask(2)
    opt.tell(0, 1.0)
    opt.fail(1)
    for end in (lambda n: opt.tell(n, 0.0), opt.fail):
        with pytest.raises(TrialError, match="trial 0 was told before"):
            end(0)
        with pytest.raises(TrialError, match="trial 1 failed before"):
            end(1)
        with pytest.raises(TrialError, match="no trial 2; 2 were asked"):
            end(2)
        with pytest.raises(TrialError, match="no trial -1"):
            end(-1)


def test_best_is_the_first_of_the_best_that_are_feasible() -> None:
    opt = optimizer(objectives={"y": "maximize"}, outcome_bounds={"density": (0.1, 0.9)})
    assert opt.best is None
    for values in ((9.0, 0.95), (3.0, 0.5), (3.0, 0.1), (2.0, 0.5)):
        opt.tell(opt.ask().number, dict(zip(("y", "density"), values, strict=True)) | {"note": 1.0})
    assert opt.best is not None
    assert (opt.best.number, opt.best.values["y"]) == (1, 3.0)
    assert opt.best.params == opt.trials[1].params
    assert opt.history().is_feasible.tolist() == [False, True, True, True]
    with pytest.raises(TrialError, match="by name: y, density"):
        opt.tell(opt.ask().number, 1.0)


def test_the_front_is_what_nothing_beats_in_everything() -> None:
    opt = optimizer(objectives={"cost": "minimize", "gain": "maximize"})
    rng = np.random.default_rng(1)
    points = [(float(c), float(g)) for c, g in rng.integers(0, 6, (40, 2))]
    for cost, gain in points:
        opt.tell(opt.ask().number, {"cost": cost, "gain": gain})
    unbeaten = {
        (c, g) for c, g in points if not any(a <= c and b >= g and (a, b) != (c, g) for a, b in points)
    }
    found = [(o.values["cost"], o.values["gain"]) for o in opt.front]
    assert set(found) == unbeaten
    assert len(found) == len(unbeaten)
    assert opt.best is None


def test_restore_takes_numbers_in_order_and_the_queue_with_it() -> None:
    first = optimizer()
    first.enqueue({"x": 0.1, "n": 4, "m": "a"})
    first.enqueue({"x": 0.1, "n": 5, "m": "a"})
    queued = first.ask()
    second = optimizer()
    second.enqueue(queued.params)
    second.enqueue({"x": 0.1, "n": 5, "m": "a"})
    with pytest.raises(TrialError, match="next number is 0"):
        second.restore(first.ask())
    second.restore(queued)
    assert second.pending == (0,)
    assert second.ask().params == {"x": 0.1, "n": 5, "m": "a"}


def test_what_was_seen_of_the_history_does_not_change_later() -> None:
    opt = optimizer()
    opt.ask()
    seen = opt.history()
    opt.tell(0, 1.0)
    opt.ask(40)
    assert seen.is_pending.tolist() == [True]
    assert np.isnan(seen.losses).all()
    now = opt.history()
    assert now.losses[0, 0] == 1.0
    np.testing.assert_array_equal(now.unit, SPACE.to_unit_many(now.params))


def test_a_proposal_says_when_it_was_asked_and_what_it_took() -> None:
    ticks = itertools.count(100.0, 0.5)
    opt = optimizer(clock=lambda: next(ticks))
    group = opt.ask(2)
    assert [(t.asked_at, t.ask_s) for t in group] == [(100.0, 0.25)] * 2
    assert group[0].engine == "random"


@pytest.mark.parametrize("objectives", [{"y": "max"}, {"y": None}])
def test_a_direction_is_spelled_out(objectives: dict) -> None:
    with pytest.raises(TrialError, match="'minimize' or 'maximize'"):
        optimizer(objectives=objectives)


def test_asking_for_none_is_a_mistake() -> None:
    with pytest.raises(TrialError, match="one trial or more"):
        optimizer().ask(0)


def test_bounds_that_nothing_fulfils_are_refused() -> None:
    with pytest.raises(TrialError, match=r"outcome_bounds.c is \(1, 0\)"):
        Optimizer({"x": Real(0.0, 1.0)}, engine="random", outcome_bounds={"c": (1, 0)})
