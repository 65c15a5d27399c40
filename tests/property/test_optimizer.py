"""The optimizer under any order of what people and workers do to it."""

import math
import warnings
from random import Random

import numpy as np
import pytest
import skopt
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from asktell.optimize.optimizer import Direction, Optimizer
from asktell.space import Boolean, Categorical, Integer, Real, Space
from asktell.trial import Origin, Params

MIXED = Space(
    {
        "x": Real(0.1, 10.0, log=True),
        "n": Integer(1, 6),
        "m": Categorical(["a", "b", "c"]),
        "k": Boolean(),
        "z": Real(-1.0, 1.0, when={"m": ["b"]}),
        "j": Integer(1, 3, when={"k": [True], "m": ["b", "c"]}),
    },
    ["x < n + 3"],
)
FAST = ("random", "sobol", "grid")
OPTIONS = {"skopt": {"estimator": "ET", "n_candidates": 50}, "grid": {"levels": 3}}

Action = tuple[str, int]
ACTIONS = ("ask", "ask", "ask", "joint", "tell", "tell", "tell", "fail", "enqueue", "add")
scripts = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 99)), min_size=1, max_size=25)


def loss(params: Params) -> float:
    return abs(math.log(float(params["x"]))) + abs(int(params["n"]) - 3) + float(params.get("z", 0.5))


def new(engine: str, direction: Direction = "minimize") -> Optimizer:
    options = OPTIONS.get(engine, {})
    return Optimizer(MIXED, {"y": direction}, engine=engine, seed=3, initial=4, options=options)


def play(script: list[Action], opt: Optimizer, sign: float = 1.0) -> Optimizer:
    """Carry the script out, and empty the queue. An action's number chooses among what there is."""
    enqueued = 0
    for action, choice in script:
        point = MIXED.sample(np.random.default_rng(choice), 1)[0]
        number = opt.pending[choice % len(opt.pending)] if opt.pending else None
        match action:
            case "ask":
                opt.ask()
            case "joint":
                opt.ask(1 + choice % 4)
            case "enqueue":
                opt.enqueue(point)
                enqueued += 1
            case "add":
                opt.add(point, sign * loss(point))
            case "fail" if number is not None:
                opt.fail(number)
            case "tell" if number is not None:
                opt.tell(number, sign * loss(opt.trials[number].params))
    waiting = enqueued - sum(trial.origin is Origin.QUEUED for trial in opt.trials)
    if waiting:
        opt.ask(waiting)
    return opt


def proposed(opt: Optimizer) -> list[tuple[Params, Origin]]:
    return [(trial.params, trial.origin) for trial in opt.trials]


def check_proposals(opt: Optimizer) -> None:
    """Numbered without a gap, feasible, and new unless a person wanted otherwise."""
    assert [trial.number for trial in opt.trials] == list(range(len(opt.trials)))
    unit = MIXED.to_unit_many([trial.params for trial in opt.trials])
    for n, trial in enumerate(opt.trials):
        assert MIXED.validate(trial.params) == trial.params
        assert MIXED.is_feasible(trial.params)
        if trial.origin not in (Origin.QUEUED, Origin.ADDED):
            assert (np.abs(unit[:n] - unit[n]).max(axis=1) > 1e-6).all()


def check_replay(opt: Optimizer, again: Optimizer, order: list[int]) -> None:
    """The same trials and their ends, in any order, give the same next proposals."""
    history = opt.history()
    for trial in opt.trials:
        again.restore(trial)
    for number in order:
        if history.is_told[number]:
            again.tell(number, loss(opt.trials[number].params))
        elif history.is_failed[number]:
            again.fail(number)
    assert again.best == opt.best
    assert [t.params for t in again.ask(2)] == [t.params for t in opt.ask(2)]
    assert again.trials[-1].pending == opt.trials[-1].pending


@pytest.mark.parametrize("engine", FAST)
@given(script=scripts, random=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_any_interleaving_keeps_the_promises(engine: str, script: list[Action], random: Random) -> None:
    opt = play(script, new(engine))
    check_proposals(opt)
    order = list(range(len(opt.trials)))
    random.shuffle(order)
    check_replay(opt, new(engine), order)


@given(script=scripts, random=st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_any_interleaving_keeps_the_promises_with_a_model(script: list[Action], random: Random) -> None:
    opt = play(script, new("skopt"))
    check_proposals(opt)
    order = list(range(len(opt.trials)))
    random.shuffle(order)
    check_replay(opt, new("skopt"), order)


@given(script=scripts)
@settings(max_examples=4, deadline=None)
def test_maximising_mirrors_minimising_exactly(script: list[Action]) -> None:
    down = play(script, new("skopt"))
    up = play(script, new("skopt", "maximize"), sign=-1.0)
    assert proposed(up) == proposed(down)
    assert (up.best and (up.best.number, -up.best.values["y"])) == (
        down.best and (down.best.number, down.best.values["y"])
    )


@pytest.mark.parametrize("options", [{}, {"pending": "mean"}, {"estimator": "ET"}], ids=str)
def test_a_study_that_was_interrupted_anywhere_proposes_what_it_would_have(options: dict[str, str]) -> None:
    """One worker, a Gaussian process: bit for bit, whatever the process did before."""

    def fresh() -> Optimizer:
        return Optimizer(MIXED, engine="skopt", seed=5, initial=4, options={"n_candidates": 100, **options})

    unbroken = fresh()
    for _ in range(9):
        opt = unbroken
        if len(opt.trials) in (3, 5, 8):
            opt = fresh()
            for trial in unbroken.trials:
                opt.restore(trial)
                opt.tell(trial.number, loss(trial.params))
        expected = opt.ask()
        trial = unbroken.ask() if opt is not unbroken else expected
        assert (trial.params, trial.acquisition, trial.details) == (
            expected.params,
            expected.acquisition,
            expected.details,
        )
        unbroken.tell(trial.number, loss(trial.params))


def test_on_branin_it_is_as_good_as_plain_skopt() -> None:
    """One worker, the same ten first points, eleven proposals; Sobol's regret stays above 1."""
    space = Space({"x": Real(-5.0, 10.0), "y": Real(0.0, 15.0)})
    regrets = []
    for seed in range(3):
        opt = Optimizer(space, engine="skopt", seed=seed)
        plain = skopt.Optimizer([(-5.0, 10.0), (0.0, 15.0)], "GP", acq_func="EI", random_state=seed)
        with warnings.catch_warnings(action="ignore"), threadpool_limits(1):
            for number in range(21):
                trial = opt.ask()
                point = list(trial.params.values()) if number < 10 else plain.ask()
                opt.tell(trial.number, branin(**trial.params))
                plain.tell(point, branin(*point))
        assert opt.best is not None
        regrets.append([opt.best.values["objective"] - 0.3978, min(plain.yi) - 0.3978])
    ours, theirs = np.exp(np.log(regrets).mean(axis=0))
    assert ours < max(4 * theirs, 0.3), regrets


def branin(x: float, y: float) -> float:
    hill = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return hill + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
