"""Same history, same seed: same proposals in a fresh process, from every engine with each of its options."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import pytest

from asktell.optimize.engines.options import Batch, Pending
from asktell.optimize.optimizer import Optimizer
from asktell.space import Boolean, Categorical, Integer, Ordinal, Real, Space
from asktell.trial import Origin, Params, Trial

SPACE = Space(
    {
        "x": Real(0.01, 10.0, log=True),
        "y": Real(0.0, 1.0),
        "n": Integer(1, 40),
        "grade": Ordinal([1, 2, 5, 10]),
        "method": Categorical(["a", "b", "c"]),
        "fast": Boolean(),
        "angle": Real(0.0, 90.0, when={"method": ["b", "c"]}),
    },
    ["x * n < 100"],
)
BOUNDS = {"heat": (0.0, 3.0)}
ACQUISITIONS = ("ei", "pi", "ucb", "random_ucb", "thompson", "gibbon")

needs_optuna = pytest.mark.skipif(
    not (find_spec("optuna") and find_spec("cmaes")), reason="needs asktell[optuna]"
)
needs_botorch = pytest.mark.skipif(not find_spec("botorch"), reason="needs asktell[botorch]")
needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="needs asktell[botorch]")
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")  # botorch on import

CASES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "random": ("random", {}),
    "sobol": ("sobol", {}),
    "grid": ("grid", {"levels": 3}),
    "skopt": ("skopt", {"n_candidates": 50}),
    "skopt-min": ("skopt", {"pending": "min", "n_candidates": 50}),
    "skopt-ET": ("skopt", {"estimator": "ET", "n_candidates": 50}),
    "skopt-RF": ("skopt", {"estimator": "RF", "n_candidates": 50}),
    "gp": ("gp", {}),  # its defaults are left out below
    "gp-noise": ("gp", {"noise": ["error"]}),
    "gp-no-tail": ("gp", {"tail": False, "fantasies": 4}),
    **{f"gp-{name}": ("gp", {"acquisition": name}) for name in ACQUISITIONS},
    **{f"gp-pending-{way}": ("gp", {"pending": way}) for way in Pending if way is not Pending.FANTASIES},
    **{f"gp-batch-{way}": ("gp", {"batch": way}) for way in Batch if way is not Batch.GREEDY},
    "tpe": ("optuna", {}),
    "cmaes": ("optuna", {"sampler": "cmaes"}),
    "optuna-gp": ("optuna", {"sampler": "gp"}),
    "qlognei": ("botorch", {"samples": 16}),
    "qlogei": ("botorch", {"acquisition": "qlogei", "samples": 16}),
}
MARKS = {
    "tpe": [needs_optuna],
    "cmaes": [needs_optuna],
    "optuna-gp": [needs_optuna, needs_torch],
    "qlognei": [needs_botorch],
    "qlogei": [needs_botorch],
}
"""What has to be installed for a case."""


def new(case: str) -> Optimizer:
    engine, options = CASES[case]
    bounds = BOUNDS if engine in ("gp", "botorch") else None
    return Optimizer(SPACE, engine=engine, seed=7, initial=6, options=options, outcome_bounds=bounds)


def values(params: Params) -> dict[str, float]:
    distance = float(((SPACE.to_unit(params) - 0.3) ** 2).sum())
    return {"objective": distance, "heat": 4.0 * float(params["y"]), "error": 0.1 * float(params["y"])}


def lived(case: str) -> tuple[Optimizer, dict[int, bool]]:
    """An optimizer that asked, heard and learned one by one, and how its trials ended; some run on."""
    opt, succeeded = new(case), dict[int, bool]()
    for turn in range(6):
        opt.ask(2)
        # The second to last: results come out of order, and the oldest keep running.
        number = opt.pending[-2]
        succeeded[number] = turn != 3
        if succeeded[number]:
            opt.tell(number, values(opt.trials[number].params))
        else:
            opt.fail(number)
    return opt, succeeded


def proposals(opt: Optimizer) -> list[Any]:
    """A joint group, and a single point after it; floats to the last bit."""
    asked = [*opt.ask(2), opt.ask()]
    return [[dict(t.params), str(t.origin), t.acquisition, dict(t.details)] for t in asked]


def answer() -> None:
    """What the fresh process does: read histories, restore them in another order of tells, propose."""
    histories, found = json.load(sys.stdin), {}
    for case, (points, succeeded) in histories.items():
        opt = new(case)
        for number, (params, origin) in enumerate(points):
            opt.restore(Trial(number, params, Origin(origin)))
        for number in sorted(map(int, succeeded), reverse=True):
            if succeeded[str(number)]:
                opt.tell(number, values(opt.trials[number].params))
            else:
                opt.fail(number)
        found[case] = proposals(opt)
    json.dump(found, sys.stdout)


def is_installed(case: str) -> bool:
    return not any(mark.args[0] for mark in MARKS.get(case, []))


@cache
def both() -> tuple[Mapping[str, list[Any]], Mapping[str, list[Any]]]:
    """What optimizers of this process propose, and what one fresh process does for all cases."""
    living = {case: lived(case) for case in CASES if is_installed(case)}
    histories = {
        case: ([[dict(t.params), str(t.origin)] for t in opt.trials], succeeded)
        for case, (opt, succeeded) in living.items()
    }
    said = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(histories),
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return {case: proposals(opt) for case, (opt, _) in living.items()}, json.loads(said.stdout)


@pytest.mark.parametrize("case", [pytest.param(case, marks=MARKS.get(case, [])) for case in CASES])
def test_a_fresh_process_proposes_the_same(case: str) -> None:
    here, there = both()
    assert json.loads(json.dumps(here[case])) == there[case]
    if CASES[case][0] not in ("random", "sobol", "grid"):
        assert {origin for _, origin, _, _ in here[case]} == {Origin.MODEL}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answer()
