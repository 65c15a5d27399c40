"""Branin's function, with the coefficients of Dixon and Szegő (1978)."""

import math


def evaluate(x1: float, x2: float) -> float:
    """0.397887 at (-π, 12.275), (π, 2.275) and (3π, 2.475), its minima in [-5, 10] × [0, 15]."""
    valley = x2 - 5.1 / (4 * math.pi**2) * x1**2 + 5 / math.pi * x1 - 6
    return valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x1) + 10
