"""scikit-optimize behind the engine protocol: the only module that knows it.

Each proposal builds one fresh `skopt.Optimizer`, tells it everything once and asks once, so nothing
outlives a proposal that a resumed study would have to rebuild.

    n  points told          p  points pending
    d  columns of the unit cube, which is the space that skopt sees (a category is one of its own)
    z  losses as the surrogate sees them: tail compressed, mean 0, standard deviation 1
    C  candidates
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import skopt
from numpy.typing import NDArray
from sklearn.base import clone
from skopt.acquisition import gaussian_ei, gaussian_lcb, gaussian_pi
from skopt.space import Categorical as SkoptCategorical
from skopt.space import Real as SkoptReal
from skopt.utils import cook_estimator, normalize_dimensions
from threadpoolctl import threadpool_limits

from asktell.optimize.engines.designs import DesignThenModel, state_of
from asktell.optimize.engines.options import ScikitOptimizeOptions
from asktell.optimize.history import History, Proposal
from asktell.optimize.pending import Lie, Taken, constant_lie, standardised, success, unused_point
from asktell.space import Boolean, Categorical, Real, Space
from asktell.trial import Origin, Params

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MIN_SUCCESS = 2 / 3
"""A point that is less likely to succeed than this is proposed only when all others are, too.

Half is where two neighbours disagree: with it, the edge of a region that fails is bisected without
end (Branin, half of the plane failing: 5 of 15 late proposals failed with 0.5, 3 with this).
"""

NEIGHBOURHOODS = (0.1, 0.03, 0.01, 0.003)
CENTRES, NEIGHBOURS = 4, 24
"""Scales at which candidates are refined; around how many, and with how many each."""


def why_unusable(options: ScikitOptimizeOptions) -> list[str]:
    """What stands against these options with the versions that are installed, in sentences."""
    problems = []
    if not _works(options.estimator):
        problems.append(
            f"engine 'skopt': option estimator: {options.estimator} of scikit-optimize {skopt.__version__} "
            "does not work with the installed numpy and scikit-learn; use GP, ET or RF"
        )
    if options.acq_optimizer == "lbfgs" and options.estimator != "GP":
        problems.append(
            f"engine 'skopt': option acq_optimizer: lbfgs needs gradients, {options.estimator} has none; "
            "use sampling"
        )
    return problems


@cache
def _works(estimator: str) -> bool:
    """Tried, not looked up: GBRT broke with numpy 2.4 and scikit-learn 1.6, and may be mended."""
    if estimator in ("GP", "ET", "RF"):
        return True
    points = np.linspace(0.0, 1.0, 8)[:, None]
    try:
        with _quiet():
            model = clone(cook_estimator(estimator, random_state=0))
            model.fit(points, points[:, 0]).predict(points, return_std=True)
    except (AttributeError, TypeError, ValueError) as error:
        logger.debug("scikit-optimize's %s does not work: %s", estimator, error)
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known before a proposal. best: the row of the lowest feasible loss, if there is one."""

    unit: Array  # (n, d)
    z: Array  # (n,)
    best: int | None
    succeeded: Array  # (s, d)
    failed: Array  # (f, d)

    @property
    def best_z(self) -> float:
        """What is to be improved on; without a feasible point, the best of the others."""
        return float(self.z.min() if self.best is None else self.z[self.best])


class ScikitOptimize:
    """Bayesian optimisation of one objective with scikit-optimize's surrogates.

    A failure, and a result outside its bounds, makes its surroundings unattractive; no loss is ever
    invented for a failure.
    """

    name = "skopt"
    reads = ()

    def __init__(self, space: Space, seed: int, initial: int, options: ScikitOptimizeOptions) -> None:
        self._space = space
        self._seed = seed
        self._sequence = DesignThenModel(space, seed, initial)
        self._options = options
        self._cube = _Cube(space)
        # Where skopt's own optimum needs no rounding and cannot be infeasible, it is taken as it is.
        self._is_continuous = not space.constraints and all(
            isinstance(space.parameters[name], Real) and not space.parameters[name].when
            for name in space.columns
        )

    def at_once(self, history: History) -> int:
        return self._sequence.at_once(history)

    def propose(self, history: History, number: int, count: int) -> list[Proposal]:
        known = _known(history, self._options.tail)
        surrogate = _Surrogate(self._options, self._cube, known, state_of(self._seed, number))

        def from_model(history: History, taken: Taken, number: int, _: int) -> list[Proposal]:
            pending = list(history.unit[history.is_pending])
            return [self._from_model(known, surrogate, pending, taken, number)]

        return self._sequence.propose(history, number, count, from_model)

    def _from_model(
        self, known: _Known, surrogate: _Surrogate, pending: Sequence[Array], taken: Taken, number: int
    ) -> Proposal:
        rng = np.random.default_rng([self._seed, number])
        try:
            with _quiet():
                optimizer, lies = self._tell(known, surrogate, pending, state_of(self._seed, number))
                details = surrogate.details(optimizer.models[-1], lies)
                found = self._best_unused(optimizer, known, taken, rng)
        except (np.linalg.LinAlgError, ValueError) as error:
            logger.warning("trial %d: scikit-optimize failed (%s); a random point instead", number, error)
            details, found = {"fallback": f"the fit failed: {error}"[:200]}, None
        else:
            if found is None:
                details["fallback"] = "every candidate was proposed before"
        if found is None:
            return Proposal(unused_point(self._space, taken, rng), Origin.RANDOM, details=details)
        params, acquisition = found
        return Proposal(params, Origin.MODEL, acquisition, details)

    def _tell(
        self, known: _Known, surrogate: _Surrogate, pending: Sequence[Array], state: int
    ) -> tuple[Any, Sequence[float]]:
        """A `skopt.Optimizer` that was told everything, and the losses that pending points were given."""
        options = self._options
        estimator, lies = surrogate.with_pending(pending)
        optimizer = skopt.Optimizer(
            self._cube.dimensions,
            base_estimator=estimator,
            n_initial_points=0,
            acq_func=options.acquisition,
            acq_optimizer=options.acq_optimizer,
            random_state=state,
            model_queue_size=1,
            acq_func_kwargs={"xi": options.xi, "kappa": options.kappa},
            acq_optimizer_kwargs={"n_points": options.n_candidates},
            avoid_duplicates=False,
        )
        rows = self._cube.rows([*known.unit, *pending])
        optimizer.tell(rows, [*known.z.tolist(), *lies])
        return optimizer, lies

    def _best_unused(
        self, optimizer: Any, known: _Known, taken: Taken, rng: np.random.Generator
    ) -> tuple[Params, float] | None:
        """The feasible point of best acquisition that is not taken, and its acquisition (more is better)."""
        model = optimizer.models[-1]
        first = self._space.from_unit(self._cube.point(optimizer.ask()))
        unit = self._space.to_unit(first)
        if self._is_continuous and not len(known.failed) and unit not in taken:
            return first, -float(self._acquisition(model, unit[None, :], known)[0])
        points, units, scores = self._candidates(
            model, known, rng, [first] if self._space.is_feasible(first) else []
        )
        for i in np.argsort(scores, kind="stable"):
            if units[i] not in taken:
                return points[i], -float(scores[i])
        return None

    def _candidates(
        self, model: Any, known: _Known, rng: np.random.Generator, first: list[Params]
    ) -> tuple[list[Params], Array, Array]:
        """Feasible points (C), their places (C, d) and acquisition (C,).

        All points of a small space; else `first`, random ones, and neighbourhoods of the best among
        them, ever smaller.
        """
        points = self._everything or first + list(self._space.sample(rng, self._options.n_candidates))
        if known.best is not None and not self._everything:
            points = [*points, self._space.from_unit(known.unit[known.best])]
        units = self._space.to_unit_many(points)
        scores = self._acquisition(model, units, known)
        for scale in () if self._everything else NEIGHBOURHOODS:
            centres = np.argsort(scores, kind="stable")[:CENTRES]
            near: list[Params] = []
            for i in centres:
                near += self._space.neighbours(points[i], rng, NEIGHBOURS, scale=scale)
            if not near:
                break
            places = self._space.to_unit_many(near)
            points = points + near
            units = np.concatenate([units, places])
            scores = np.concatenate([scores, self._acquisition(model, places, known)])
        return points, units, scores

    @cached_property
    def _everything(self) -> list[Params]:
        """Every feasible point of a space that has no more than there are candidates; else nothing."""
        total = self._space.cardinality
        if total is None or total > self._options.n_candidates:
            return []
        return list(self._space.grid(levels=1))

    def _acquisition(self, model: Any, units: Array, known: _Known) -> Array:
        """What skopt minimises, less attractive where trials failed. units: (C, d); returns (C,)."""
        options = self._options
        points = self._cube.transform(units)
        match options.acquisition:
            case "EI":
                values = -gaussian_ei(points, model, known.best_z, options.xi)
            case "PI":
                values = -gaussian_pi(points, model, known.best_z, options.xi)
            case "LCB":
                values = gaussian_lcb(points, model, options.kappa)
        if not len(known.failed):
            return np.asarray(values, dtype=np.float64)
        # Every acquisition is negative where there is something to gain (LCB: on the mean loss, which
        # is 0). Where failure is to be expected, only how likely it is counts.
        likely = success(units, known.succeeded, known.failed)
        return np.asarray(np.where(likely >= MIN_SUCCESS, np.minimum(values, 0.0) * likely, 1.0 - likely))


class _Cube:
    """The unit cube as skopt sees it: a number in [0, 1] a column, except that categories are codes."""

    def __init__(self, space: Space) -> None:
        self._choices = [_choices(space.parameters[name]) for name in space.columns]
        self._space = normalize_dimensions(
            [SkoptCategorical(list(range(k))) if k else SkoptReal(0.0, 1.0) for k in self._choices]
        )

    @property
    def dimensions(self) -> list[Any]:
        return list(self._space.dimensions)

    def rows(self, units: Iterable[Array]) -> list[list[float | int]]:
        """Points as skopt is told them."""
        return [
            [min(int(u * k), k - 1) if k else float(u) for u, k in zip(unit, self._choices, strict=True)]
            for unit in units
        ]

    def point(self, row: Sequence[float | int]) -> Array:
        """(d,): the inverse of `rows` for one of them."""
        return np.array(
            [(x + 0.5) / k if k else x for x, k in zip(row, self._choices, strict=True)], dtype=float
        )

    def transform(self, units: Iterable[Array]) -> Array:
        """Points as a surrogate sees them, categories one-hot. (n, d) -> (n, D)."""
        return np.asarray(self._space.transform(self.rows(units)), dtype=np.float64)


class _Surrogate:
    """The surrogate of the told points, and what it makes of pending ones.

    What is fitted (a GP's length scales and noise) is fitted to measurements alone, once for a joint
    group; pending points are conditioned on. That is one fit and one factorisation a proposal.
    """

    def __init__(self, options: ScikitOptimizeOptions, cube: _Cube, known: _Known, state: int) -> None:
        self._options = options
        self._cube = cube
        self._known = known
        self._state = state

    def with_pending(self, pending: Sequence[Array]) -> tuple[Any, list[float]]:
        """An estimator for skopt to fit to told and pending points together, and the latter's losses."""
        is_gp = self._options.estimator == "GP"
        needs_fit = is_gp and (bool(pending) or len(self._known.z) > self._options.fit_points)
        return (frozen(self._fitted) if needs_fit else self._fresh()), self._lies(pending)

    def details(self, model: Any, lies: Sequence[float]) -> dict[str, Any]:
        """What is worth keeping with a trial, as JSON values."""
        kept: dict[str, Any] = {"estimator": self._options.estimator}
        if lies:
            kept["pending"] = str(self._options.pending)
        if hasattr(model, "kernel_"):
            scales = model.kernel_.get_params().get("k1__k2__length_scale")
            kept["length_scales"] = [float(f"{scale:.4g}") for scale in np.atleast_1d(scales)]
            kept["noise"] = float(f"{model.noise_:.4g}")
        return kept

    def _lies(self, pending: Sequence[Array]) -> list[float]:
        if not pending:
            return []
        if self._options.pending is Lie.BELIEVER:
            return [float(z) for z in self._fitted.predict(self._cube.transform(pending))]
        return [constant_lie(self._options.pending, self._known.z)] * len(pending)

    @cached_property
    def _fitted(self) -> Any:
        z, limit = self._known.z, self._options.fit_points
        rows = np.arange(len(z))
        if self._options.estimator == "GP" and len(z) > limit:
            # The best third says where the optimum is, a random rest what the function is like.
            order = np.argsort(z, kind="stable")
            rest = np.random.default_rng(self._state).permutation(order[limit // 3 :])
            rows = np.concatenate([order[: limit // 3], rest[: limit - limit // 3]])
        return self._fresh().fit(self._cube.transform(self._known.unit[rows]), z[rows])

    def _fresh(self) -> Any:
        return cook_estimator(self._options.estimator, space=self._cube.dimensions, random_state=self._state)


def frozen(fitted: Any) -> Any:
    """A Gaussian process with the hyperparameters of one that was fitted, to be given other points."""
    kernel = clone(fitted.kernel_)
    # skopt sets the noise of a fitted kernel to zero, to predict without it.
    kernel.set_params(k2__noise_level=fitted.noise_)
    return clone(fitted).set_params(kernel=kernel, optimizer=None, n_restarts_optimizer=0)


def _known(history: History, tail: bool) -> _Known:
    told = history.is_told
    z = standardised(history.losses[told, 0], tail)
    feasible = np.flatnonzero(history.is_feasible[told])
    return _Known(
        unit=history.unit[told],
        z=z,
        best=int(feasible[np.argmin(z[feasible])]) if len(feasible) else None,
        succeeded=history.unit[history.is_feasible],
        failed=history.unit[history.is_failed | (told & ~history.is_feasible)],
    )


def _choices(parameter: Any) -> int:
    """How many categories a parameter has; 0 for one whose values have an order."""
    if isinstance(parameter, Boolean):
        return 2
    return len(parameter.choices) if isinstance(parameter, Categorical) else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of a fit, which mean nothing to who waits for a proposal, and one BLAS thread.

    More threads are slower at these sizes, by ten times where the machine's cores are busy, and
    change the last bits with their number.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"), threadpool_limits(1):
        warnings.simplefilter("ignore")
        yield
