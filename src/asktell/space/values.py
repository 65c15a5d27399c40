"""Values as people and numpy hand them over, checked and made native.

what: how an error names the value ('low', 'the value'). All raise SpaceError.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from asktell.errors import SpaceError
from asktell.trial import Value


def native(value: object) -> Any:
    """numpy's scalars as Python's own; everything else as it is."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def to_real(value: object, what: str) -> float:
    """A finite number; booleans and texts are none."""
    number = native(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise SpaceError(f"{what} is {number!r}; give a number")
    try:
        number = float(number)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SpaceError(f"{what} is {number}; give a finite number")
    return number


def to_integer(value: object, what: str) -> int:
    """A whole number, which may come as 3.0."""
    number = native(value)
    if isinstance(number, int) and not isinstance(number, bool):
        return number
    as_real = to_real(number, what)
    if not as_real.is_integer():
        raise SpaceError(f"{what} is {as_real}; give a whole number")
    return int(as_real)


def to_choice(value: object) -> Value:
    """A text, a boolean or a finite number."""
    choice = native(value)
    if not isinstance(choice, str | int | float | bool):
        raise SpaceError(f"{choice!r} is no text, number or boolean; use one of these")
    if isinstance(choice, float) and not math.isfinite(choice):
        raise SpaceError(f"{choice} cannot be chosen; give a finite number, or a text")
    return choice


def check_bounds(low: float, high: float, log: bool) -> None:
    """The bounds of a range that has more than one value."""
    if low > high:
        raise SpaceError(f"low ({low}) is not below high ({high}); swap them")
    if low == high:
        raise SpaceError(f"low and high are both {low}; write {{type: constant, value: {low}}}")
    if log and low <= 0:
        raise SpaceError(f"log needs a positive low, which is {low}; raise low or leave log out")


def check_within(value: float, low: float, high: float) -> None:
    """Both bounds belong to the range."""
    if not low <= value <= high:
        side = f"below low ({low})" if value < low else f"above high ({high})"
        raise SpaceError(f"{value} is {side}; give a value in [{low}, {high}]")
