"""A Gaussian process conditioned on points, and what it predicts elsewhere.

    n  points conditioned on, in the order of their trials' numbers        q  points asked about
    S  fantasies: columns of values, equal where they were measured        p  pending points
    A  (n, D) scaled features        Y  (n, S) values        v  (n,) known variances of the values
    L  (n, n) lower, L L^T = K = k(A, A) + noise I + diag v        alpha  (n, S) K^-1 Y

Values may change without the factor L changing with them: a tell costs two triangular solves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cholesky, solve_triangular

from asktell.optimize.surrogate.kernel import Hyperparameters, Kernel

Array = NDArray[np.float64]

BLOCK = 64
"""Rows of the factor that are computed together."""

_ASKED = 128  # points that are predicted together: what is computed on the way fits a processor's cache
_MIN_VARIANCE = 1e-12  # of the signal: where rounding would leave none


@dataclass(frozen=True, slots=True)
class Prediction:
    """mean: (q, S); std: (q,), > 0, of the function without its noise.

    pull: the gradient to the unit cube, (q, d), of a number whose derivatives to mean and std are
    given, (q, S) and (q,). It means nothing in the columns of categories.
    """

    mean: Array
    std: Array
    pull: Callable[[Array, Array], Array]


class Conditioner:
    """Factors of growing sets of points; keeps the last one, to extend it.

    A set's factor has the same bits whatever was factored before: rows are computed in blocks that
    start at multiples of `BLOCK`, each in one piece from the complete blocks above it, and only
    complete blocks of unchanged points are kept.
    """

    def __init__(self) -> None:
        self._kernel: Kernel | None = None
        self._points = np.empty((0, 0))
        self._variance = np.empty(0)
        self._lower = np.empty((0, 0), order="F")

    def factor(self, kernel: Kernel, points: Array, variance: Array | None = None) -> Array:
        """L for scaled features. points: (n, D); variance: (n,); returns (n, n), Fortran order, zeros above.

        Raises LinAlgError where rounding leaves the covariance indefinite.
        """
        variance = np.zeros(len(points)) if variance is None else variance
        if kernel is not self._kernel:
            self._points = np.empty((0, points.shape[1]))
        common = min(_common(self._points, points), _common(self._variance[:, None], variance[:, None]))
        kept = BLOCK * (common // BLOCK)
        n = len(points)
        lower = np.zeros((n, n), order="F")
        lower[:kept, :kept] = self._lower[:kept, :kept]
        for start in range(kept, n, BLOCK):
            stop = min(start + BLOCK, n)
            rows = kernel.between(points[start:stop], points[:stop])
            corner = rows[:, start:] + np.diag(kernel.hyper.noise + variance[start:stop])
            if start:
                left = solve_triangular(
                    lower[:start, :start], rows[:, :start].T, lower=True, check_finite=False
                )
                lower[start:stop, :start] = left.T
                corner -= left.T @ left
            lower[start:stop, start:stop] = cholesky(corner, lower=True, check_finite=False)
        self._kernel, self._points, self._variance, self._lower = kernel, points, variance, lower
        return lower


class Posterior:
    """The process given values at points."""

    def __init__(
        self, kernel: Kernel, points: Array, lower: Array, values: Array, variance: Array | None = None
    ) -> None:
        """points: (n, D) scaled; lower: (n, n) their factor; values: (n, S); variance: (n,)."""
        self.kernel = kernel
        self.points = points
        self.lower = lower
        self.weights: Array = _solve_transposed(lower, _solve(lower, values))
        self.variance = np.zeros(len(points)) if variance is None else variance
        self.fitted: Array = values - (kernel.hyper.noise + self.variance)[:, None] * self.weights
        """(n, S) means of the function at the points themselves."""

    @property
    def hyper(self) -> Hyperparameters:
        return self.kernel.hyper

    def predict(self, unit: Array) -> Prediction:
        """unit: (q, d)."""
        if len(unit) <= _ASKED:
            return self._predict(unit)
        edges = range(_ASKED, len(unit), _ASKED)
        parts = [self._predict(part) for part in np.split(unit, edges)]

        def pull(to_mean: Array, to_std: Array) -> Array:
            given = zip(parts, np.split(to_mean, edges), np.split(to_std, edges), strict=True)
            return np.concatenate([part.pull(mean, std) for part, mean, std in given])

        mean, std = (np.concatenate(found) for found in zip(*((p.mean, p.std) for p in parts), strict=True))
        return Prediction(mean, std, pull)

    def _predict(self, unit: Array) -> Prediction:
        a = self.kernel.scaled(unit)
        covariance, slope = self.kernel.with_slope(a, self.points)
        v = _solve(self.lower, covariance.T)
        signal = self.hyper.signal
        std = np.sqrt(np.maximum(signal - np.einsum("ij,ij->j", v, v), _MIN_VARIANCE * signal))

        def pull(to_mean: Array, to_std: Array) -> Array:
            # dmean = alpha^T dk, dvariance = -2 k^T K^-1 dk
            to_k = to_mean @ self.weights.T - (to_std / std)[:, None] * _solve_transposed(self.lower, v).T
            h = to_k * slope
            return self.kernel.to_unit(h @ self.points - h.sum(axis=1)[:, None] * a)

        return Prediction(covariance @ self.weights, std, pull)

    def pool(self, unit: Array) -> Pool:
        """Candidates at (q, d)."""
        return Pool(self, unit)


class Pool:
    """Candidates, and what is known of them while outcomes are imagined for one after the other.

    Conditioning on one more point is a row more of the factor, and of L^-1 k for each candidate.
    mean: (q, S) given what was imagined so far.
    """

    def __init__(self, posterior: Posterior, unit: Array) -> None:
        """unit: (q, d)."""
        self._kernel = posterior.kernel
        self._points = self._kernel.scaled(unit)
        covariance = self._kernel.between(self._points, posterior.points)
        self._rows = _solve(posterior.lower, covariance.T)
        self._variance = self._kernel.hyper.signal - np.einsum("ij,ij->j", self._rows, self._rows)
        # What is measured next will be as uncertain as what was.
        self._noise = self._kernel.hyper.noise + float(np.median(posterior.variance))
        self.mean: Array = covariance @ posterior.weights

    @property
    def std(self) -> Array:
        """(q,) of the function without its noise."""
        floor = _MIN_VARIANCE * self._kernel.hyper.signal
        return np.asarray(np.sqrt(np.maximum(self._variance, floor)))

    def imagine(self, i: int, draws: Array) -> None:
        """A measurement of candidate i: its mean and so many of its standard deviations, (S,)."""
        covariance = self._kernel.between(self._points[[i]], self._points)[0] - self._rows[:, i] @ self._rows
        row = covariance / np.sqrt(max(covariance[i], 0.0) + self._noise)
        self._rows = np.vstack([self._rows, row])
        self._variance = self._variance - row**2
        self.mean = self.mean + row[:, None] * draws


def fantasies(lower: Array, values: Array, is_pending: NDArray[np.bool_], draws: Array) -> Array:
    """Values of pending points, drawn jointly from their distribution given all others: (n, S).

    values: (n,), those of pending points are not looked at; draws: (p, S) standard normal; zeros give
    the means, which is what a Kriging believer takes for measured (Ginsbourger et al., 2010).
    With P = K^-1 in blocks, pending (p) and others (o): mean -P_pp^-1 P_po y_o, covariance P_pp^-1. The
    last is taken first, so that each value follows from the draws up to its own: one more pending point
    at the end leaves those before it as they were.
    """
    y = np.repeat(np.where(is_pending, 0.0, values)[:, None], draws.shape[1], axis=1)
    rows = np.flatnonzero(is_pending)[::-1]
    if not len(rows):
        return y
    units = np.zeros((len(values), len(rows)), order="F")
    units[rows, np.arange(len(rows))] = 1.0
    w = _solve(lower, units)
    root = cholesky(w.T @ w, lower=True, check_finite=False)
    linear = w.T @ _solve(lower, y[:, :1])
    mean = -_solve_transposed(root, _solve(root, linear))
    y[rows] = mean + _solve_transposed(root, draws[::-1])
    return y


def _common(a: Array, b: Array) -> int:
    """How many first rows are the same."""
    n = min(len(a), len(b))
    different = np.flatnonzero((a[:n] != b[:n]).any(axis=1))
    return int(different[0]) if len(different) else n


def _solve(lower: Array, b: Array) -> Array:
    """L^-1 b for b (n, k)."""
    return np.asarray(blas.dtrsm(1.0, lower, b, lower=1))


def _solve_transposed(lower: Array, b: Array) -> Array:
    """L^-T b for b (n, k)."""
    return np.asarray(blas.dtrsm(1.0, lower, b, lower=1, trans_a=1))
