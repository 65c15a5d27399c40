"""Engines of the extras, where they are installed: pip install 'asktell[optuna]', 'asktell[botorch]'."""

import math
from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
import pytest

from asktell.errors import EngineError
from asktell.optimize.engines import check_options
from asktell.optimize.optimizer import Optimizer
from asktell.space import Boolean, Categorical, Constant, Integer, Ordinal, Real, Space
from asktell.trial import Origin, Params

PLANE = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})
MIXED = Space(
    {
        "step": Real(0.01, 10.0, log=True),
        "n": Integer(1, 400),
        "grade": Ordinal([1, 2, 5, 10]),
        "method": Categorical(["a", "b", "c"]),
        "fast": Boolean(),
        "angle": Real(0.0, 90.0, when={"method": ["b", "c"]}),
        "deep": Integer(1, 3, when={"method": ["c"]}),
        "version": Constant(3),
    },
    ["step * n < 1000"],
)
# Importing botorch 0.18 with torch 2.15 warns of what torch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
needs_optuna = pytest.mark.skipif(
    not (find_spec("optuna") and find_spec("cmaes")), reason="needs asktell[optuna]"
)
needs_botorch = pytest.mark.skipif(not find_spec("botorch"), reason="needs asktell[botorch]")
ENGINES = [
    pytest.param("optuna", {}, marks=needs_optuna, id="tpe"),
    pytest.param("optuna", {"sampler": "cmaes"}, marks=needs_optuna, id="cmaes"),
    pytest.param("optuna", {"sampler": "gp"}, marks=[needs_optuna, needs_botorch], id="optuna-gp"),
    pytest.param("botorch", {}, marks=needs_botorch, id="qlognei"),
    pytest.param("botorch", {"acquisition": "qlogei"}, marks=needs_botorch, id="qlogei"),
]
OF_SEVERAL = [
    pytest.param("optuna", {}, marks=needs_optuna, id="tpe"),
    pytest.param("botorch", {}, marks=needs_botorch, id="qlognehvi"),
    pytest.param("botorch", {"acquisition": "qlognparego"}, marks=needs_botorch, id="qlognparego"),
]


def bowl(space: Space, params: Params) -> float:
    return float(((space.to_unit(params) - 0.3) ** 2).sum())


def told(
    n: int, space: Space, engine: str, options: Mapping[str, object], *, failing: bool = False
) -> Optimizer:
    opt = Optimizer(space, engine=engine, initial=4, options=options)
    for number, params in enumerate(space.sample(np.random.default_rng(1), n)):
        if failing and number % 5 == 4:
            opt.enqueue(params)
            opt.fail(opt.ask().number)
        else:
            opt.add(params, bowl(space, params))
    return opt


@pytest.mark.parametrize(("engine", "options"), ENGINES)
def test_mixed_spaces_pending_and_failed_trials_and_the_same_again(engine: str, options: dict) -> None:
    opt, again = (told(10, MIXED, engine, options, failing=True) for _ in range(2))
    group = opt.ask(3)
    for trial in group:
        assert MIXED.validate(trial.params) == trial.params
        assert MIXED.is_feasible(trial.params)
    unit = MIXED.to_unit_many([trial.params for trial in opt.trials])
    assert (np.abs(unit[:, None] - unit[None]).max(axis=2)[np.triu_indices(13, 1)] > 1e-6).all()
    assert [t.params for t in group] == [again.ask().params for _ in range(3)]
    assert Origin.MODEL in {trial.origin for trial in group}


@pytest.mark.parametrize(("engine", "options"), [ENGINES[0], *ENGINES[2:]])
def test_proposals_gather_where_losses_are_low(engine: str, options: dict) -> None:
    opt = told(20, PLANE, engine, options)
    losses = [bowl(PLANE, trial.params) for trial in opt.ask(3)]
    assert np.median(losses) < 0.5 * np.median([bowl(PLANE, trial.params) for trial in opt.trials[:20]])


@pytest.mark.parametrize(("engine", "options"), OF_SEVERAL)
def test_several_objectives_under_a_constraint(engine: str, options: dict) -> None:
    """Minimise x and y where x + y is at least 0.8: the front is that line."""
    opt = Optimizer(
        PLANE,
        {"a": "minimize", "b": "minimize"},
        engine=engine,
        options=options,
        outcome_bounds={"c": (0.8, math.inf)},
    )
    for params in PLANE.sample(np.random.default_rng(1), 16):
        opt.add(params, {"a": params["x"], "b": params["y"], "c": params["x"] + params["y"]})
    sums = [trial.params["x"] + trial.params["y"] for trial in opt.ask(2)]
    assert np.median(np.abs(np.array(sums) - 0.8)) < 0.3


@needs_optuna
def test_tpe_keeps_away_from_where_much_is_running() -> None:
    centre, distances = {"x": 0.3, "y": 0.3}, dict[bool, list[float]]({True: [], False: []})
    for is_busy, found in distances.items():
        for seed in range(8):
            opt = told(40, PLANE, "optuna", {"sampler": "tpe"})
            rng = np.random.default_rng(seed)
            for _ in range(10):
                opt.enqueue({name: u + 0.03 * rng.normal() for name, u in centre.items()})
                number = opt.ask().number
                if not is_busy:
                    opt.fail(number)
            found += [bowl(PLANE, opt.ask().params) for _ in range(3)]
    assert np.median(distances[True]) > 2 * np.median(distances[False])


@needs_optuna
def test_cma_es_learns_generation_by_generation_whatever_the_order_of_tells() -> None:
    opt = told(60, PLANE, "optuna", {"sampler": "cmaes"})
    few = told(6, PLANE, "optuna", {"sampler": "cmaes"})
    late, early = ([bowl(PLANE, trial.params) for trial in o.ask(12)] for o in (opt, few))
    assert np.median(late) < np.median(early)
    with pytest.raises(EngineError, match=r"two numbers.*use sampler: tpe"):
        Optimizer({"n": Integer(1, 9), "k": Boolean()}, engine="optuna", options={"sampler": "cmaes"})


@pytest.mark.parametrize(
    ("name", "options", "module"),
    [("optuna", {}, "optuna"), ("optuna", {"sampler": "gp"}, "torch"), ("botorch", {}, "botorch")],
)
def test_a_missing_extra_says_what_to_install(name: str, options: dict, module: str) -> None:
    said = " ".join(check_options(name, options))
    assert (f"{module} is not installed; pip install" in said) == (find_spec(module) is None)


@pytest.mark.parametrize(
    ("name", "options", "objectives", "remedy"),
    [
        ("optuna", {"sampler": "cmaes"}, 2, "use sampler: tpe"),
        ("botorch", {"acquisition": "qlognei"}, 2, "use qlognehvi or qlognparego"),
        ("botorch", {"acquisition": "qlognehvi"}, 1, "use qlognei or qlogei"),
    ],
)
def test_options_that_do_not_go_with_the_objectives(
    name: str, options: dict, objectives: int, remedy: str
) -> None:
    assert remedy in " ".join(check_options(name, options, objectives))
