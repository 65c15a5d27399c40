"""Objectives for tests of whole studies."""

import time


def evaluate(x: float, y: float) -> dict[str, float]:
    time.sleep(0.05 + 0.05 * x)
    return {"f": (x - 0.3) ** 2 + (y - 0.6) ** 2, "extra": x + y}
