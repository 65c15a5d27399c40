"""What a warm start saves: trials until a target is reached, cold, after a related and an unrelated study.

    python benchmarks/warm_start.py [--functions hartmann6 rosenbrock4 branin] [--seeds 20] [--engine gp]

The related study of 60 trials has seen the function as it is; here it is moved by 0.05 to 0.1 of its width
in every direction, by each seed in another way. The unrelated one has seen a random smooth function.
One worker; a run that does not get there within its trials counts as one more than these.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from asktell.optimize.optimizer import Optimizer
from asktell.simulation.functions import FUNCTIONS, TestFunction
from asktell.space import Space
from asktell.trial import Params

TARGETS = {"hartmann6": 0.3, "rosenbrock4": 30.0, "branin": 0.1, "levy8": 3.0}
EARLIER, TRIALS = 60, 80
Loss = Callable[[Params], float]
Points = list[tuple[Params, float]]


def moved(function: TestFunction, seed: int | None) -> Loss:
    """The function's regret, moved in the unit cube and mirrored at its faces; with None as it is."""
    assert function.optimum is not None
    space, optimum, rng = function.space, function.optimum, np.random.default_rng([seed or 0, 0])
    shift = rng.choice([-1, 1], space.dims) * rng.uniform(0.05, 0.1, space.dims) * (seed is not None)

    def loss(params: Params) -> float:
        unit = 1 - np.abs(1 - np.abs(space.to_unit(params) + shift) % 2)
        values = function.evaluate(space.from_unit(unit), rng)
        return float("nan") if values is None else values["loss"] - optimum

    return loss


def unrelated(space: Space, seed: int) -> Loss:
    """A sum of random waves."""
    rng = np.random.default_rng([seed, 1])
    waves, phases = 3 * rng.standard_normal((200, space.dims)), rng.uniform(0, 2 * np.pi, 200)
    weights = rng.standard_normal(200)
    return lambda params: float(weights @ np.cos(waves @ space.to_unit(params) + phases))


def study(
    space: Space, loss: Loss, engine: str, seed: int, trials: int, target: float, earlier: Points
) -> Points:
    """What was evaluated, up to the first value that is good enough."""
    optimizer = Optimizer(space, engine=engine, seed=seed)
    if earlier:
        optimizer.warm_start(earlier)
    found: Points = []
    while len(found) < trials and not (found and found[-1][1] <= target):
        trial = optimizer.ask()
        found.append((trial.params, loss(trial.params)))
        optimizer.tell(trial.number, found[-1][1])
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--functions", nargs="+", default=["hartmann6", "rosenbrock4", "branin"], choices=TARGETS
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--engine", default="gp")
    args = parser.parse_args(argv)
    print(
        "| trials to the target, median (quartiles) | cold | related | unrelated |\n| --- | --- | --- | --- |"
    )
    for name in args.functions:
        function, needed = FUNCTIONS[name], {"cold": [], "related": [], "unrelated": []}
        for seed in range(args.seeds):
            sources = {
                "cold": [],
                "related": study(
                    function.space,
                    moved(function, None),
                    args.engine,
                    500 + seed,
                    EARLIER,
                    -np.inf,
                    [],
                ),
                "unrelated": study(
                    function.space,
                    unrelated(function.space, seed),
                    args.engine,
                    700 + seed,
                    EARLIER,
                    -np.inf,
                    [],
                ),
            }
            for start, earlier in sources.items():
                found = study(
                    function.space, moved(function, seed), args.engine, seed, TRIALS, TARGETS[name], earlier
                )
                needed[start].append(len(found) + (found[-1][1] > TARGETS[name]))
        cells = [
            "{1:g} ({0:g}, {2:g})".format(*np.percentile(counts, [25, 50, 75])) for counts in needed.values()
        ]
        print(f"| {name}, regret {TARGETS[name]:g} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
