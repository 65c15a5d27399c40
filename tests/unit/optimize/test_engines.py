import re

import pytest

from asktell.errors import EngineError, SpaceExhausted
from asktell.optimize.design import design_point
from asktell.optimize.engines import ENGINES, check_options, create
from asktell.optimize.optimizer import Optimizer
from asktell.space import Boolean, Categorical, Integer, Real, Space
from asktell.trial import Origin, Trial

PLANE = Space({"x": Real(0.0, 1.0), "y": Real(0.0, 1.0)})
FINITE = Space(
    {"m": Categorical(["a", "b"]), "n": Integer(1, 4, when={"m": ["b"]}), "k": Boolean()}, ["n != 3"]
)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("skop", {}, "did you mean 'skopt'"),
        ("optuna", {"sampler": "nsga"}, "sampler: .*'tpe', 'cmaes' or 'gp'"),
        ("gp", {"fantasies": 3}, "fantasies: .*multiple of 2"),
        ("gp", {"noise": ["a", "b"]}, "2 names for 1 objectives; give the standard error of each"),
        ("skopt", {"estimater": "GP"}, "did you mean 'estimator'.*knows estimator, acquisition"),
        ("skopt", {"acquisition": "gp_hedge"}, "acquisition: .*'EI', 'LCB' or 'PI'"),
        ("skopt", {"estimator": "ET", "acq_optimizer": "lbfgs"}, "gradients.*use sampling"),
        ("sobol", {"levels": 3}, "no option 'levels'; it has none"),
        ("grid", {"levels": 0}, "levels: .*greater than or equal to 1"),
    ],
)
def test_what_cannot_be_done_is_said_with_a_remedy(name: str, options: dict, message: str) -> None:
    (problem,) = check_options(name, options)
    assert re.search(message, problem)
    with pytest.raises(EngineError, match=message):
        create(name, PLANE, 1, 0, 10, options)


def test_all_problems_come_at_once() -> None:
    assert len(check_options("skopt", {"xi": -1, "kappa": "high", "colour": "red"})) == 3


def test_several_objectives_are_not_for_skopt() -> None:
    with pytest.raises(
        EngineError, match="handles one objective, this study has 2; use gp, random, sobol or grid"
    ):
        create("skopt", PLANE, 2, 0, 10)
    for name in ("gp", "random", "sobol", "grid"):
        assert create(name, PLANE, 2, 0, 10).name == name


def test_an_estimator_is_offered_only_if_it_works() -> None:
    # Whether GBRT works depends on the versions installed; that it is tried does not.
    (problem,) = check_options("skopt", {"estimator": "GBRT"}) or ["use GP, ET or RF"]
    assert "use GP, ET or RF" in problem
    for estimator in ("GP", "ET", "RF"):
        assert check_options("skopt", {"estimator": estimator}) == []


@pytest.mark.parametrize("name", [name for name in sorted(ENGINES) if not check_options(name, {})])
def test_a_finite_space_is_proposed_once_and_then_exhausted(name: str) -> None:
    everything = {tuple(sorted(point.items())) for point in FINITE.grid(levels=1)}
    optimizer = Optimizer(FINITE, engine=name, initial=3)
    found: list[Trial] = []
    while len(found) < len(everything):
        group = optimizer.ask(3)
        found += group
        for trial in group[:2]:
            optimizer.tell(trial.number, float(trial.params.get("n", 0)))
    with pytest.raises(SpaceExhausted, match="proposed"):
        optimizer.ask()
    assert len(found) == len(everything)
    assert {tuple(sorted(trial.params.items())) for trial in found} == everything


def test_sobol_is_the_design_and_skips_what_was_tried() -> None:
    optimizer = Optimizer(PLANE, engine="sobol", seed=5)
    optimizer.add(design_point(PLANE, 5, 1), 0.0)
    assert [trial.params for trial in optimizer.ask(3)] == [design_point(PLANE, 5, i) for i in (0, 2, 3)]
    assert optimizer.ask().params == design_point(PLANE, 5, 4)


def test_a_grid_has_its_levels_and_an_order_on_request() -> None:
    options = {"levels": 3, "shuffle": False}
    optimizer = Optimizer(PLANE, engine="grid", options=options)
    optimizer.add({"x": 0.0, "y": 0.5}, 1.0)
    points = [tuple(trial.params.values()) for trial in optimizer.ask(100)]
    assert points == [(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0) if (x, y) != (0.0, 0.5)]
    with pytest.raises(SpaceExhausted, match="more levels"):
        optimizer.ask()


def test_a_grid_too_large_to_shuffle_is_refused() -> None:
    space = Space({f"x{i}": Real(0.0, 1.0) for i in range(12)})
    with pytest.raises(EngineError, match="fewer levels"):
        Optimizer(space, engine="grid").ask()


def test_random_points_follow_from_seed_and_number() -> None:
    def points(seed: int) -> list:
        return [Optimizer(PLANE, engine="random", seed=seed).ask(4)[i].params for i in range(4)]

    assert points(1) == points(1) != points(2)
    assert Optimizer(PLANE, engine="random").ask().origin is Origin.RANDOM
