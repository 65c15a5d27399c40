"""Objectives for tests of whole studies."""

import time
from typing import Any

import numpy as np


def evaluate(x: float, y: float) -> dict[str, float]:
    time.sleep(0.05 + 0.05 * x)
    return {"f": (x - 0.3) ** 2 + (y - 0.6) ** 2, "extra": x + y}


def fields(x: float, y: float) -> dict[str, Any]:
    """Arrays too: one that rides in the journal, and one that is a file of its own."""
    return {**evaluate(x, y), "small": np.full((4, 6), x), "large": np.full((200, 300), y)}
