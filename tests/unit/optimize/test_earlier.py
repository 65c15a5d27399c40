"""The initial design of an optimizer that knows earlier studies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from asktell.errors import SpaceError, TrialError
from asktell.optimize.engines.designs import Earlier, best_of_earlier
from asktell.optimize.optimizer import Optimizer
from asktell.space import Real, Space
from asktell.trial import Origin

SPACE = Space({"x": Real(0.0, 1.0)})


def earlier(points: dict[float, float | tuple[float, float]], infeasible: tuple[float, ...] = ()) -> Earlier:
    params = [{"x": x} for x in points]
    losses = np.array(list(points.values()), dtype=float).reshape(len(points), -1)
    is_feasible = np.array([x not in infeasible for x in points])
    return Earlier(params, SPACE.to_unit_many(params), losses, is_feasible)


def chosen(*studies: Earlier, count: int = 9) -> list[object]:
    return [params["x"] for params in best_of_earlier(studies, count)]


def line(low: float, best: float) -> dict[float, float]:
    """Losses at 100 points, a hundredth apart."""
    return {round(low + i / 100, 2): abs(low + i / 100 - best) for i in range(100)}


def test_the_best_come_first_and_each_is_unlike_those_before_it() -> None:
    found = chosen(earlier(line(0.0, 0.4)))
    assert found[0] == 0.4
    assert np.abs(np.subtract.outer(found, found))[~np.eye(len(found), dtype=bool)].min() > 0.1 - 1e-9
    assert np.abs(np.array(found) - 0.4).max() < 0.25 / 2 + 0.02, "only the best quarter is tried again"


def test_studies_take_turns_and_what_was_not_feasible_is_left_out() -> None:
    first, second = line(0.0, 0.2), line(0.0, 0.8)
    assert chosen(earlier(first), earlier(second), count=2) == [0.2, 0.8]
    assert 0.2 not in chosen(earlier(first, infeasible=(0.2,)))


def test_with_several_objectives_compromises_come_first() -> None:
    points = {i / 100: ((i / 100) ** 2, (i / 100 - 1) ** 2 + 10 * (i < 30)) for i in range(101)}
    assert 0.3 <= float(str(chosen(earlier(points), count=1)[0])) < 1.0


@pytest.mark.parametrize("engine", ["random", "sobol", "grid", "skopt", "gp"])
def test_the_design_begins_with_the_best_and_goes_on_as_ever(engine: str) -> None:
    cold, warm = (Optimizer(SPACE, engine=engine, seed=2, initial=8) for _ in range(2))
    warm.warm_start(({"x": x}, loss) for x, loss in line(0.0, 0.4).items())
    assert warm.best is None
    asked = warm.ask(3) + warm.ask(5)
    n_earlier = sum(trial.origin is Origin.EARLIER for trial in asked)
    assert 1 <= n_earlier <= 4
    assert asked[0].params["x"] == pytest.approx(0.4)
    assert all(trial.origin is not Origin.EARLIER for trial in asked[n_earlier:])
    if engine in ("sobol", "skopt", "gp"):
        usual = [trial.params for trial in cold.ask(8 - n_earlier)]
        assert [trial.params for trial in asked[n_earlier:]] == usual


def test_an_enqueued_point_comes_before_and_is_not_proposed_again() -> None:
    optimizer = Optimizer(SPACE, engine="sobol", initial=8)
    optimizer.warm_start([({"x": 0.5}, 1.0)])
    optimizer.enqueue({"x": 0.5})
    first, second = optimizer.ask(), optimizer.ask()
    assert (first.origin, second.origin) == (Origin.QUEUED, Origin.INITIAL)


def test_a_point_outside_and_a_value_that_is_none_are_refused() -> None:
    optimizer = Optimizer(SPACE)
    with pytest.raises(SpaceError, match="2"):
        optimizer.warm_start([({"x": 2.0}, 1.0)])
    with pytest.raises(TrialError, match="the earlier result at"):
        optimizer.warm_start([({"x": 0.5}, math.nan)])
