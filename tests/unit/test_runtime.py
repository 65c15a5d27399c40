"""What the runtime model predicts, against laws from which the durations were drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from asktell.runtime import RuntimeModel
from asktell.space import Categorical, Integer, Real, Space
from asktell.trial import Params

SPACE = Space({"x": Real(0.0, 1.0), "n": Integer(1, 9), "m": Categorical(["a", "b", "c"])})

Law = Callable[[Params, np.random.Generator], float]


def _growing(params: Params, rng: np.random.Generator) -> float:
    return 20.0 + 40.0 * float(params["x"])


LAWS: dict[str, tuple[Law, float]] = {
    # name: (duration, the most that the upper end may be of the median)
    "constant": (lambda params, rng: 30.0, 1.1),
    "lognormal": (lambda params, rng: 30.0 * float(np.exp(0.3 * rng.standard_normal())), 3.0),
    "growing": (_growing, 1.2),
    "noisy": (lambda params, rng: _growing(params, rng) * float(rng.uniform(0.9, 1.1)), 1.5),
    "exponential": (lambda params, rng: 2.0 * 2.0 ** float(params["n"]), 1.3),
    "bimodal": (
        lambda params, rng: (20.0 if params["m"] == "a" else 200.0) * float(rng.uniform(0.9, 1.1)),
        1.5,
    ),
}


def _taught(law: Law, n: int, seed: int) -> tuple[RuntimeModel, np.random.Generator]:
    rng, model = np.random.default_rng([n, seed]), RuntimeModel(SPACE)
    for params in SPACE.sample(rng, n):
        model.add(params, law(params, rng))
    return model, rng


@pytest.mark.parametrize("name", LAWS)
def test_the_upper_end_holds_for_nearly_all_and_is_not_absurd(name: str) -> None:
    law, most = LAWS[name]
    is_held, widths = [], []
    for n in (20, 31, 60):
        for seed in range(6):
            model, rng = _taught(law, n, seed)
            for params in SPACE.sample(rng, 40):
                found = model.estimate(params)
                assert found is not None
                assert found.low_s <= found.median_s <= found.high_s
                is_held.append(law(params, rng) <= found.high_s)
                widths.append(found.high_s / found.median_s)
    assert np.mean(is_held) >= 0.95
    assert np.median(widths) <= most


def test_nothing_is_known_before_the_first_and_little_after_it() -> None:
    model = RuntimeModel(SPACE)
    (params,) = SPACE.sample(np.random.default_rng(0), 1)
    assert model.estimate(params) is None
    assert model.short_s() is None
    model.add_censored(params, 50.0)
    assert model.estimate(params) is None
    model.add(params, 30.0)
    found = model.estimate(params)
    assert found is not None
    assert found.high_s > 50.0


def test_what_was_cut_off_is_expected_to_take_longer() -> None:
    rng = np.random.default_rng(0)
    points = SPACE.sample(rng, 40)
    cut, taken_for_whole = RuntimeModel(SPACE), RuntimeModel(SPACE)
    for params in points:
        duration_s = _growing(params, rng)
        if duration_s > 45.0:
            cut.add_censored(params, 45.0)
        else:
            cut.add(params, duration_s)
        taken_for_whole.add(params, min(duration_s, 45.0))
    slow: Params = {"x": 0.95, "n": 5, "m": "a"}
    found, other = cut.estimate(slow), taken_for_whole.estimate(slow)
    assert found is not None
    assert other is not None
    assert other.median_s == pytest.approx(45.0, rel=0.05)
    assert found.median_s == pytest.approx(_growing(slow, rng), rel=0.1)


def test_it_depends_on_the_history_alone() -> None:
    asked, never = RuntimeModel(SPACE), RuntimeModel(SPACE)
    rng = np.random.default_rng(1)
    points = SPACE.sample(rng, 50)
    for params in points:
        for model in (asked, never):
            model.add(params, _growing(params, rng))
        asked.estimate(params)
    assert asked.estimate(points[0]) == never.estimate(points[0])
    assert asked.short_s() == never.short_s()


def test_without_a_space_all_points_are_alike() -> None:
    model = RuntimeModel()
    for duration_s in (20.0, 30.0, 40.0) * 5:
        model.add({"anything": 1.0}, duration_s)
    assert model.estimate({"anything": 1.0}) == model.estimate({"other": 2.0})
    short_s, found = model.short_s(), model.estimate({})
    assert found is not None
    assert short_s == found.high_s > 40.0


def test_twenty_thousand_trials_are_as_cheap_as_a_few_hundred() -> None:
    """One fit, and no more than `MOST` attempts in it: this would not end otherwise."""
    model, rng = RuntimeModel(SPACE), np.random.default_rng(0)
    for params in SPACE.sample(rng, 20_000):
        model.add(params, _growing(params, rng))
    found = model.estimate({"x": 0.5, "n": 1, "m": "b"})
    assert found is not None
    assert found.median_s == pytest.approx(40.0, rel=0.05)
