"""A function with a small and a large output, which fails beyond 0.9; also a program: with_outputs.py X N"""

import json
import sys

import numpy as np


def evaluate(x, n):
    if x > 0.9:
        raise ValueError("too far")
    small = np.outer(np.arange(4) + x, np.arange(5.0))
    large = np.add.outer(np.arange(300.0), np.arange(200) * x)
    return {"loss": (x - 0.3) ** 2, "extra": n, "small": small, "large": large}


if __name__ == "__main__":
    found = evaluate(float(sys.argv[1]), int(sys.argv[2]))
    np.savez("arrays.npz", small=found.pop("small"), large=found.pop("large"))
    with open("result.json", "w") as file:
        json.dump(found, file)
