"""Named test functions: what engines and schedules are compared on.

All are as the literature has them, minimised; `optimum` is the known minimum. Sources: Surjanovic and
Bingham, Virtual Library of Simulation Experiments (Branin to Griewank); Zitzler, Deb and Thiele (2000)
for ZDT1; Li, Deb, Altinoz and Zhang (2015) for C2-DTLZ2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asktell.space import Categorical, Integer, Parameter, Real, Space
from asktell.trial import Params

Array = NDArray[np.float64]
Evaluate = Callable[[Params, np.random.Generator], Mapping[str, float] | None]
"""(params, rng) -> values by name, or None where the evaluation fails. rng: for noise."""


@dataclass(frozen=True, slots=True)
class TestFunction:
    """A problem to be optimised.

    optimum: lowest value of the single objective (noise-free, feasible), None where there are several;
    bounds: outcome constraints; reference: of the hypervolume, for several objectives;
    exact: params -> the noise-free objective, where `evaluate` adds noise.
    """

    __test__ = False  # pytest: not a test

    name: str
    space: Space
    evaluate: Evaluate
    optimum: float | None = None
    objectives: tuple[str, ...] = ("loss",)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reference: tuple[float, ...] = ()
    exact: Callable[[Params], float] | None = None

    def regret(self, params: Params, value: float) -> float:
        """How far the point is from the optimum, noise aside. Raises ValueError with several objectives."""
        if self.optimum is None:
            raise ValueError(f"{self.name} has several objectives, and no regret")
        return max(0.0, (value if self.exact is None else self.exact(params)) - self.optimum)


def branin(x: Array) -> float:
    a, b, c, r, s, t = 1.0, 5.1 / (4 * math.pi**2), 5 / math.pi, 6.0, 10.0, 1 / (8 * math.pi)
    return float(a * (x[1] - b * x[0] ** 2 + c * x[0] - r) ** 2 + s * (1 - t) * math.cos(x[0]) + s)


_HARTMANN_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN_3 = (
    np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]]),
    1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
)
_HARTMANN_6 = (
    np.array(
        [
            [10, 3, 17, 3.5, 1.7, 8],
            [0.05, 10, 17, 0.1, 8, 14],
            [3, 3.5, 1.7, 10, 17, 8],
            [17, 8, 0.05, 10, 0.1, 14],
        ]
    ),
    1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
)


def _hartmann(x: Array, constants: tuple[Array, Array]) -> float:
    scales, centres = constants
    return float(-_HARTMANN_WEIGHTS @ np.exp(-(scales * (x - centres) ** 2).sum(axis=1)))


def hartmann3(x: Array) -> float:
    return _hartmann(x, _HARTMANN_3)


def hartmann6(x: Array) -> float:
    return _hartmann(x, _HARTMANN_6)


def ackley(x: Array) -> float:
    root = math.sqrt(float(np.mean(x**2)))
    return -20 * math.exp(-0.2 * root) - math.exp(float(np.mean(np.cos(2 * math.pi * x)))) + 20 + math.e


def rosenbrock(x: Array) -> float:
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def levy(x: Array) -> float:
    w = 1 + (x - 1) / 4
    middle = np.sum((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2))
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return float(math.sin(math.pi * w[0]) ** 2 + middle + last)


def michalewicz(x: Array) -> float:
    steepness = 10
    i = np.arange(1, len(x) + 1)
    return float(-np.sum(np.sin(x) * np.sin(i * x**2 / math.pi) ** (2 * steepness)))


def griewank(x: Array) -> float:
    i = np.arange(1, len(x) + 1)
    return float(np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(i))) + 1)


def styblinski_tang(x: Array) -> float:
    return float(np.sum(x**4 - 16 * x**2 + 5 * x) / 2)


def zdt1(x: Array) -> tuple[float, float]:
    g = 1 + 9 * float(np.mean(x[1:]))
    return float(x[0]), g * (1 - math.sqrt(x[0] / g))


def c2dtlz2(x: Array) -> tuple[float, float, float]:
    """Two objectives and the constraint, which is fulfilled where it is not above 0."""
    radius = 0.2
    g = float(np.sum((x[1:] - 0.5) ** 2))
    f = (1 + g) * np.array([math.cos(x[0] * math.pi / 2), math.sin(x[0] * math.pi / 2)])
    corners = min(float((f[i] - 1) ** 2 + np.sum(np.delete(f, i) ** 2)) for i in range(2)) - radius**2
    middle = float(np.sum((f - 1 / math.sqrt(2)) ** 2)) - radius**2
    return float(f[0]), float(f[1]), min(corners, middle)


def _reals(dims: int, low: float, high: float) -> dict[str, Parameter]:
    return {f"x{i}": Real(low, high) for i in range(1, dims + 1)}


def _vector(params: Params) -> Array:
    return np.array([float(value) for value in params.values()])


def _plain(
    name: str, function: Callable[[Array], float], parameters: Mapping[str, Parameter], optimum: float
) -> TestFunction:
    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        return {"loss": function(_vector(params))}

    return TestFunction(name, Space(parameters), evaluate, optimum)


def _mixed() -> TestFunction:
    """Ackley over two reals and an integer, beside a category that shifts and scales it."""
    shifts = {"plain": (0.0, 1.0), "shifted": (0.5, 0.5), "steep": (-0.5, 3.0)}
    space = Space(
        {
            "x1": Real(-5, 5),
            "x2": Real(-5, 5),
            "n": Integer(-10, 10),
            "kind": Categorical(list(shifts)),
        }
    )

    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        shift, scale = shifts[str(params["kind"])]
        x = np.array([float(params["x1"]) - shift, float(params["x2"]) + shift, float(params["n"]) - 3])
        return {"loss": scale * ackley(x) + abs(shift)}

    return TestFunction("mixed", space, evaluate, 0.0)


def _noisy() -> TestFunction:
    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        return {"loss": hartmann6(_vector(params)) + 0.1 * rng.standard_normal()}

    return TestFunction(
        "noisy-hartmann6",
        Space(_reals(6, 0, 1)),
        evaluate,
        -3.32237,
        exact=lambda params: hartmann6(_vector(params)),
    )


def _failing() -> TestFunction:
    """Branin that fails in a disc around one of its three minima."""

    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float] | None:
        x = _vector(params)
        return None if math.hypot(x[0] - math.pi, x[1] - 2.275) < 3 else {"loss": branin(x)}

    return TestFunction(
        "failing-branin", Space({"x1": Real(-5, 10), "x2": Real(0, 15)}), evaluate, _BRANIN_OPTIMUM
    )


def _constrained() -> TestFunction:
    """Branin within a disc (Gelbart, Snoek and Adams, 2014): its minimum is at (pi, 2.275) still."""

    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        x = _vector(params)
        return {"loss": branin(x), "inside": (x[0] - 2.5) ** 2 + (x[1] - 7.5) ** 2}

    return TestFunction(
        "constrained-branin",
        Space({"x1": Real(-5, 10), "x2": Real(0, 15)}),
        evaluate,
        _BRANIN_OPTIMUM,
        bounds={"inside": (-math.inf, 50.0)},
    )


def _zdt1() -> TestFunction:
    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        f1, f2 = zdt1(_vector(params))
        return {"f1": f1, "f2": f2}

    return TestFunction(
        "zdt1", Space(_reals(6, 0, 1)), evaluate, objectives=("f1", "f2"), reference=(1.1, 11.0)
    )


def _c2dtlz2() -> TestFunction:
    def evaluate(params: Params, rng: np.random.Generator) -> Mapping[str, float]:
        f1, f2, violation = c2dtlz2(_vector(params))
        return {"f1": f1, "f2": f2, "violation": violation}

    return TestFunction(
        "c2dtlz2",
        Space(_reals(4, 0, 1)),
        evaluate,
        objectives=("f1", "f2"),
        bounds={"violation": (-math.inf, 0.0)},
        reference=(1.1, 1.1),
    )


_BRANIN_OPTIMUM = 0.39788735772973816

FUNCTIONS: Mapping[str, TestFunction] = {
    function.name: function
    for function in (
        _plain("branin", branin, {"x1": Real(-5, 10), "x2": Real(0, 15)}, _BRANIN_OPTIMUM),
        _plain("hartmann3", hartmann3, _reals(3, 0, 1), -3.86278),
        _plain("hartmann6", hartmann6, _reals(6, 0, 1), -3.32237),
        _plain("ackley10", ackley, _reals(10, -32.768, 32.768), 0.0),
        _plain("rosenbrock4", rosenbrock, _reals(4, -5, 10), 0.0),
        _plain("levy8", levy, _reals(8, -10, 10), 0.0),
        _plain("michalewicz5", michalewicz, _reals(5, 0, math.pi), -4.687658),
        _plain("griewank6", griewank, _reals(6, -600, 600), 0.0),
        _plain("styblinski6", styblinski_tang, _reals(6, -5, 5), -39.16616570377142 * 6),
        _mixed(),
        _noisy(),
        _failing(),
        _constrained(),
        _zdt1(),
        _c2dtlz2(),
    )
}
