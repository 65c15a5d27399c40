"""The `gp` engine under any order of what people and workers do, in any space."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asktell.errors import SpaceExhausted
from asktell.optimize.optimizer import Optimizer
from asktell.space import Boolean, Categorical, Integer, Ordinal, Parameter, Real, Space
from asktell.trial import Origin, Params

OPTIONS = [
    {},
    {"pending": "believer", "batch": "thompson"},
    {"pending": "local_penalisation", "batch": "qei"},
    {"acquisition": "random_ucb", "batch": "kmeans"},
    {"acquisition": "gibbon"},
    {"acquisition": "ei", "batch": "local_penalisation"},
]


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five parameters of all kinds, some of which exist only where another has a certain value."""
    when = {"switch": ["on"]}
    pool: list[Parameter] = [
        Real(-3.0, 5.0),
        Real(1e-3, 1e3, log=True, when=when),
        Integer(1, 3),
        Integer(1, 10**6, log=True),
        Integer(-2, 2, when=when),
        Ordinal([1, 10, 100]),
        Categorical(["a", "b", "c"], when=when),
        Boolean(),
    ]
    chosen = draw(st.lists(st.integers(0, len(pool) - 1), min_size=1, max_size=4))
    parameters = {f"p{i}": pool[k] for i, k in enumerate(chosen)}
    bound = draw(st.sampled_from([-1.0, 1.5, None]))
    is_number = isinstance(pool[chosen[0]], Real | Integer)
    constraints = [f"p0 > {bound}"] if is_number and bound is not None else []
    return Space({"switch": Categorical(["off", "on"]), **parameters}, constraints)


def loss(space: Space, params: Params) -> float:
    return float(((space.to_unit(params) - 0.3) ** 2).sum())


@given(
    space=spaces(),
    options=st.sampled_from(OPTIONS),
    script=st.lists(st.sampled_from(["ask", "ask", "ask 3", "tell", "tell", "fail"]), max_size=20),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=25, deadline=None)
def test_proposals_are_valid_new_and_reproducible(
    space: Space, options: dict[str, str], script: list[str], random: Random
) -> None:
    opt = Optimizer(space, engine="gp", initial=3, options=options)
    ends: dict[int, float | None] = {}
    try:
        for action in ["ask 3", "tell", "tell", *script, "ask"]:
            if action.startswith("ask"):
                opt.ask(int(action[3:] or 1))
            elif opt.pending:
                number = random.choice(opt.pending)
                ends[number] = loss(space, opt.trials[number].params) if action == "tell" else None
                end(opt, number, ends[number])
    except SpaceExhausted:
        assert space.cardinality is not None
        assert len(opt.trials) == sum(1 for _ in space.grid(levels=1)), "points were left"
        return
    unit = space.to_unit_many([trial.params for trial in opt.trials])
    for n, trial in enumerate(opt.trials):
        assert space.validate(trial.params) == trial.params
        assert space.is_feasible(trial.params)
        assert (np.abs(unit[:n] - unit[n]).max(axis=1) > 1e-6).all()
    fresh = Optimizer(space, engine="gp", initial=3, options=options)
    for trial in opt.trials[:-1]:
        fresh.restore(trial)
    for number in sorted(ends, key=lambda _: random.random()):
        end(fresh, number, ends[number])
    again, last = fresh.ask(), opt.trials[-1]
    assert (again.params, again.acquisition, again.details) == (last.params, last.acquisition, last.details)


def end(opt: Optimizer, number: int, value: float | None) -> None:
    if value is None:
        opt.fail(number)
    else:
        opt.tell(number, value)


@pytest.mark.parametrize("acquisition", ["log_ei", "thompson"])
def test_a_space_of_eight_points_ends_after_eight(acquisition: str) -> None:
    space = Space({"n": Integer(1, 4), "k": Boolean()})
    opt = Optimizer(space, engine="gp", initial=2, options={"acquisition": acquisition})
    for _ in range(8):
        trial = opt.ask()
        opt.tell(trial.number, loss(space, trial.params))
    with pytest.raises(SpaceExhausted):
        opt.ask()
    assert sum(trial.origin is Origin.MODEL for trial in opt.trials) >= 5
