"""Durations as people read them."""

from __future__ import annotations

import math

import pytest

from asktell.wording import duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.123456, "0.123 s"),
        (59.96, "1 min"),
        (59.4, "59.4 s"),
        (3599.7, "1 h"),
        (3661, "1 h 1 min"),
        (90061, "1 d 1 h"),
        (86400, "1 d"),
        (math.nan, "–"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
