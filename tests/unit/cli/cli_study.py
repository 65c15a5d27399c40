"""The study file of these tests, its objective, and the type of a call of `asktell`."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

STUDY = """\
name: toy
evaluate: {call: objective.py:evaluate, timeout: 1min}
space:
  x: {type: real, low: 0, high: 1, units: cm}
  n: {type: integer, low: 1, high: 9}
  mode: {type: categorical, choices: ["1", fast]}
  depth: {type: integer, low: 1, high: 4, when: {mode: fast}}
objectives: {loss: minimize}
constraints: [x < n, mass < 5]
optimizer: {engine: random, seed: 1}
budget: {trials: 10}
cluster: {kind: local, workers: 2}
"""
OBJECTIVE = """\
def evaluate(x, n, mode, depth=0):
    if x < 0:
        raise ValueError("x is below zero")
    print("evaluating", n)
    return {"loss": x * n, "mass": 1.0}
"""


Cli = Callable[..., Result]
