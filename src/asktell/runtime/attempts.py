"""What is known of a trial's duration, and what is predicted of it."""

from __future__ import annotations

from dataclasses import dataclass

from asktell.trial import Params

FEW = 10
"""Finished trials below which parameters are not looked at."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Predicted duration of one trial, seconds: median, and the interval that holds 95 % of them."""

    median_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """A point and the logarithm of how long it ran. is_cut: it was not done then."""

    params: Params
    log_s: float
    is_cut: bool
