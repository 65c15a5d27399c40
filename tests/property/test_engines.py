"""Every engine, with each of its options, under any order of what people and workers do, in any space."""

from collections.abc import Mapping
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asktell.errors import SpaceExhausted
from asktell.optimize.optimizer import Optimizer
from asktell.space import Boolean, Categorical, Integer, Ordinal, Parameter, Real, Space
from asktell.trial import Origin, Params

FEW = {"n_candidates": 30}
ENGINES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "random": ("random", {}),
    "sobol": ("sobol", {}),
    "grid": ("grid", {"levels": 3}),
    "skopt-ET": ("skopt", {"estimator": "ET", **FEW}),
    "skopt-GP": ("skopt", {"pending": "min", **FEW}),
    "gp": ("gp", {}),
    "gp-pi-min-qei": ("gp", {"acquisition": "pi", "pending": "min", "batch": "qei"}),
    "gp-thompson-believer": ("gp", {"acquisition": "thompson", "pending": "believer", "batch": "thompson"}),
    "gp-random_ucb-none": ("gp", {"acquisition": "random_ucb", "pending": "none", "batch": "kmeans"}),
    "gp-ucb-penalised": ("gp", {"acquisition": "ucb", "pending": "local_penalisation", "batch": "qei"}),
    "gp-gibbon-mean": ("gp", {"acquisition": "gibbon", "pending": "mean"}),
    "gp-ei-max": ("gp", {"acquisition": "ei", "pending": "max", "batch": "local_penalisation"}),
}
"""Between them, all acquisitions, ways with what is pending, and ways to make a group."""

WHEN = {"switch": ["on"]}
FINITE: list[Parameter] = [
    Integer(1, 3),
    Integer(-2, 2, when=WHEN),
    Ordinal([1, 10, 100]),
    Categorical(["a", "b", "c"], when=WHEN),
    Boolean(),
]
ANY: list[Parameter] = [
    Real(-3.0, 5.0),
    Real(1e-3, 1e3, log=True, when=WHEN),
    Integer(1, 10**6, log=True),
    *FINITE,
]
MANY = 40
ACTIONS = ("ask", "ask", "ask 3", "tell", "tell", "fail")


@st.composite
def spaces(draw: st.DrawFn, pool: list[Parameter], most: int) -> Space:
    """Parameters of all kinds, some of which exist only where another has a certain value; a constraint."""
    chosen = draw(st.lists(st.integers(0, len(pool) - 1), min_size=1, max_size=most))
    parameters = {f"p{i}": pool[k] for i, k in enumerate(chosen)}
    bound = draw(st.sampled_from([-1.0, 1.5, None]))
    is_number = isinstance(pool[chosen[0]], Real | Integer) and pool[chosen[0]].when is None
    constraints = [f"p0 > {bound}"] if is_number and bound is not None else []
    return Space({"switch": Categorical(["off", "on"]), **parameters}, constraints)


def loss(space: Space, params: Params) -> float:
    return float(((space.to_unit(params) - 0.3) ** 2).sum())


def end(opt: Optimizer, number: int, *, succeeds: bool) -> None:
    if succeeds:
        opt.tell(number, loss(opt.space, opt.trials[number].params))
    else:
        opt.fail(number)


def check_points(opt: Optimizer) -> None:
    """Each valid and feasible, none that was told, failed or running when it was proposed."""
    unit = opt.space.to_unit_many([trial.params for trial in opt.trials])
    for n, trial in enumerate(opt.trials):
        assert opt.space.validate(trial.params) == trial.params
        assert opt.space.is_feasible(trial.params)
        assert (np.abs(unit[:n] - unit[n]).max(axis=1) > 1e-6).all()


@pytest.mark.parametrize("engine", ENGINES)
@given(
    space=spaces(ANY, 4),
    script=st.lists(st.sampled_from(ACTIONS), max_size=16),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=6, deadline=None)
def test_proposals_are_valid_new_and_reproducible(
    engine: str, space: Space, script: list[str], random: Random
) -> None:
    name, options = ENGINES[engine]
    is_wide = any(isinstance(p, Integer) and p.high > 100 for p in space.parameters.values())
    assume(not (name == "grid" and is_wide))  # a grid has every integer, and is refused if these are too many
    opt = Optimizer(space, engine=name, initial=3, options=options)
    ends: dict[int, bool] = {}
    try:
        for action in ["ask 3", "tell", "tell", *script, "ask"]:
            if action.startswith("ask"):
                opt.ask(int(action[3:] or 1))
            elif opt.pending:
                number = random.choice(opt.pending)
                ends[number] = action == "tell"
                end(opt, number, succeeds=ends[number])
    except SpaceExhausted:
        check_points(opt)
        assert len(opt.trials) == sum(1 for _ in space.grid(levels=int(str(options.get("levels", 1)))))
        return
    check_points(opt)
    fresh = Optimizer(space, engine=name, initial=3, options=options)
    for trial in opt.trials[:-1]:
        fresh.restore(trial)
    for number in sorted(ends, key=lambda _: random.random()):
        end(fresh, number, succeeds=ends[number])
    again, last = fresh.ask(), opt.trials[-1]
    assert (again.params, again.acquisition, again.details) == (last.params, last.acquisition, last.details)


def ask_for_ever(opt: Optimizer, random: Random) -> None:
    """In groups or singly, far beyond any small space; one trial keeps running, others end in any order."""
    while len(opt.trials) < MANY:
        opt.ask(random.choice([1, 3]))
        for number in random.sample(opt.pending, len(opt.pending) - 1):
            end(opt, number, succeeds=random.random() < 0.8)


@pytest.mark.parametrize("engine", ENGINES)
@given(space=spaces(FINITE, 2), seed=st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
def test_a_space_of_fewer_points_than_trials_is_proposed_whole_and_said_to_be_exhausted(
    engine: str, space: Space, seed: int
) -> None:
    name, options = ENGINES[engine]
    opt = Optimizer(space, engine=name, initial=2, options=options)
    points = {tuple(point.items()) for point in space.grid(levels=1)}
    with pytest.raises(SpaceExhausted, match="proposed"):
        ask_for_ever(opt, Random(seed))
    check_points(opt)
    assert {tuple(trial.params.items()) for trial in opt.trials} == points


@pytest.mark.parametrize("acquisition", ["log_ei", "thompson"])
def test_the_model_proposes_what_is_left_of_a_small_space(acquisition: str) -> None:
    space = Space({"n": Integer(1, 4), "k": Boolean()})
    opt = Optimizer(space, engine="gp", initial=2, options={"acquisition": acquisition})
    for _ in range(8):
        end(opt, opt.ask().number, succeeds=True)
    with pytest.raises(SpaceExhausted):
        opt.ask()
    assert sum(trial.origin is Origin.MODEL for trial in opt.trials) >= 5
