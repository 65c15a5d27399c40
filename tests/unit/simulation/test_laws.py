from __future__ import annotations

import numpy as np
import pytest

from asktell import Real, Space
from asktell.errors import ConfigError
from asktell.simulation.laws import parse_law

SPACE = Space({"width": Real(0.0, 10.0)})


@pytest.mark.parametrize(
    ("text", "mean_s", "deviation_s"),
    [
        ("20min", 1200, 0),
        ("constant(90s)", 90, 0),
        ("uniform(5min, 30min)", 1050, 1500 / 12**0.5),
        ("exponential(20min)", 1200, 1200),
        ("lognormal(20min, 15min)", 1200, 900),
        ("lognormal(20min, 0s)", 1200, 0),
    ],
)
def test_a_law_draws_with_its_mean_and_deviation(text: str, mean_s: float, deviation_s: float) -> None:
    law, rng = parse_law(text, SPACE), np.random.default_rng(0)
    drawn = np.array([law.draw({"width": 1.0}, rng) for _ in range(20_000)])
    assert law.mean_s == pytest.approx(mean_s)
    assert drawn.mean() == pytest.approx(mean_s, rel=0.03)
    assert drawn.std() == pytest.approx(deviation_s, rel=0.08)


def test_a_runtime_grows_with_its_parameter() -> None:
    law, rng = parse_law("growing(width, 1min, 11min)", SPACE), np.random.default_rng(0)
    assert [law.draw({"width": width}, rng) for width in (0.0, 5.0, 10.0)] == [60.0, 360.0, 660.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gamma(3min)", "no law 'gamma'"),
        ("uniform(3min)", "1 arguments, not 2"),
        ("lognormal(20min, often)", "'often'"),
        ("exponential(0s)", "too short"),
        ("0s", "too short"),
        ("growing(height, 1s, 2s)", "no parameter 'height'"),
    ],
)
def test_what_is_no_law_is_refused_with_the_laws_that_there_are(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="lognormal") as error:
        parse_law(text, SPACE)
    assert said in str(error.value)
