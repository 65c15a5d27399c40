"""Optimisers that propose a whole group, wait for all of it, then propose the next, for benchmarks/regret.py.

Each is called with (function, seed, first, size, evaluate): `first` are the shared points to begin with,
`size` is that of a group, and `evaluate` takes a list of points and gives their values, None where one
failed. They go on until `evaluate` raises.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from peers import Asktell, native, require_plain

from asktell.simulation.functions import TestFunction
from asktell.space import Categorical, Integer, Real
from asktell.trial import Params

Evaluate = Callable[[Sequence[Params]], list[Mapping[str, float] | None]]
Grouped = Callable[[TestFunction, int, Sequence[Params], int, Evaluate], None]


def joint(
    function: TestFunction, seed: int, first: Sequence[Params], size: int, evaluate: Evaluate, *, batch: str
) -> None:
    """The `gp` engine, asked for all of a group at once."""
    peer = Asktell(function, seed, len(first), "gp", batch=batch)
    group = [(peer.begin(params), params) for params in first]
    while True:
        values = evaluate([params for _, params in group])
        for (handle, _), found in zip(group, values, strict=True):
            peer.tell(handle, found)
        group = peer.ask_group(size)


def mango(function: TestFunction, seed: int, first: Sequence[Params], size: int, evaluate: Evaluate) -> None:
    """Mango's Tuner with its defaults and a custom scheduler. Points that failed are left out of its results.

    It has no ask and tell, and waits for each group, so it cannot refill a single free worker.
    """
    require_plain(function, "Mango")
    from mango import Tuner, scheduler
    from scipy.stats import uniform

    random.seed(seed)
    np.random.seed(seed)  # the only seed that it takes
    space: dict[str, Any] = {}
    for name in function.space.columns:
        parameter = function.space.parameters[name]
        match parameter:
            case Real():
                space[name] = uniform(parameter.low, parameter.high - parameter.low)
            case Integer():
                space[name] = range(parameter.low, parameter.high + 1)
            case Categorical():
                space[name] = list(parameter.choices)

    def objective(batch: Sequence[Params]) -> tuple[list[Params], list[float]]:
        values = evaluate([native(function.space, params) for params in batch])
        told = [(params, found["loss"]) for params, found in zip(batch, values, strict=True) if found]
        return [params for params, _ in told], [loss for _, loss in told]

    settings = {"initial_custom": [dict(p) for p in first], "num_iteration": 10**6, "log_progress": False}
    Tuner(space, scheduler.custom(n_jobs=size)(objective), settings).minimize()


GROUPED: Mapping[str, tuple[str, Grouped]] = {
    "groups-greedy": ("asktell", partial(joint, batch="greedy")),
    "groups-kmeans": ("asktell", partial(joint, batch="kmeans")),
    "groups-qei": ("asktell", partial(joint, batch="qei")),
    "groups-thompson": ("asktell", partial(joint, batch="thompson")),
    "groups-penalised": ("asktell", partial(joint, batch="local_penalisation")),
    "groups-mango": ("mango", mango),
}
"""Name -> the module that it needs, and what plays it."""
