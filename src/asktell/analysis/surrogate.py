"""What a Gaussian process makes of a study's results: effects of parameters, and how far to believe it.

    n  trials it knows        d  columns of the unit cube
    g  points of a grid       b  points averaged over for each
    y  (n,) standardised values        K  (n, n) their covariance        alpha  K^-1 y

The process is the one of engine `gp`, fitted anew; its values are in units of the quantity itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from threadpoolctl import threadpool_limits

from asktell.analysis import facts
from asktell.errors import StudyError
from asktell.optimize.surrogate import Conditioner, Features, Kernel, fit
from asktell.optimize.surrogate.fit import representative
from asktell.space import Parameter, Real, Space
from asktell.space.parameters import Choice

Array = NDArray[np.float64]

MOST_TRIALS = 1000
"""That the process is conditioned on: the best third and others at random stand for the rest."""

_FEWEST_TRIALS = 4
_AVERAGED = {1: 100, 2: 40}  # points an average runs over, by the number of parameters shown
_POINTS = {1: 50, 2: 25}  # of the grid, along each parameter that has so many values


class Surrogate:
    """The process given a study's completed trials. Raises StudyError where these are too few."""

    def __init__(self, ds: xr.Dataset, of: str | None = None, *, seed: int = 0) -> None:
        self.name = facts.objective(ds, of)
        self.space: Space = facts.space(ds)
        values = ds[self.name].values.astype(np.float64)
        rows = np.flatnonzero(facts.is_completed(ds) & np.isfinite(values))
        if len(rows) < _FEWEST_TRIALS:
            raise StudyError(f"{len(rows)} trials have {self.name!r}; a surrogate needs {_FEWEST_TRIALS}")
        rng = np.random.default_rng(seed)
        if len(rows) > MOST_TRIALS:
            losses = facts.signs(ds).get(self.name, 1) * values[rows]
            rows = np.sort(rows[representative(losses, rng)[:MOST_TRIALS]])
        self.rows = rows
        self.values: Array = values[rows]
        self.unit: Array = facts.unit(ds.isel(trial=rows))
        largest = np.abs(self.values).max() or 1.0
        small = self.values / largest  # squares of 1e200 overflow
        spread = small.std() or 1.0
        self._centre, self._scale = small.mean() * largest, spread * largest
        self._y = (small - small.mean()) / spread
        features = Features(self.space)
        # More threads wait for each other for longer than such matrices take, where others work too.
        with threadpool_limits(1):
            self._kernel = Kernel(features, fit(features, self.unit, self._y, rng))
            self._points = self._kernel.scaled(self.unit)
            self._lower = Conditioner().factor(self._kernel, self._points)
            self._alpha: Array = cho_solve((self._lower, True), self._y)

    def average(self, groups: Iterator[Array]) -> tuple[Array, Array]:
        """Mean and standard deviation of the function's average over each group of points.

        groups: g times (b, d), any b, 0 for none. Returns (g,), (g,); NaN where there is no point.
        """
        with threadpool_limits(1):
            found = np.array([self._average(unit) for unit in groups])
        return self._centre + self._scale * found[:, 0], self._scale * found[:, 1]

    def _average(self, unit: Array) -> tuple[float, float]:
        if not len(unit):
            return np.nan, np.nan
        a = self._kernel.scaled(unit)
        k = self._kernel.between(a, self._points).mean(axis=0)
        v = solve_triangular(self._lower, k, lower=True, check_finite=False)
        variance = self._kernel.between(a, a).mean() - v @ v
        return float(k @ self._alpha), float(np.sqrt(max(variance, 0.0)))

    def without_each(self) -> tuple[Array, Array, Array]:
        """Mean and standard deviation of each measurement given all others, and its error: (n,) each.

        The error is in standard deviations of all measurements. Hyperparameters stay as fitted to all.
        Rasmussen and Williams (2006), eqs. 5.10 to 5.12.
        """
        with threadpool_limits(1):
            precision = np.diag(cho_solve((self._lower, True), np.eye(len(self._y))))
        error = self._alpha / precision
        return (
            self._centre + self._scale * (self._y - error),
            self._scale / np.sqrt(precision),
            error if self._y.any() else np.full_like(error, np.nan),
        )


def leave_one_out(ds: xr.Dataset, of: str | None = None) -> xr.Dataset:
    """What the surrogate says of each trial from all others, along `trial`.

    of: the quantity, default the first objective. `observed`, `predicted`, `std` (noise included) in its
    units; `z`: the error in standard deviations. Scalars `r2`, the share of the variance that is predicted,
    NaN where all are equal, and `coverage`, the share of |z| < 1.96, which is 0.95 where the surrogate knows
    how much it knows.
    Raises StudyError below four trials.
    """
    model = Surrogate(ds, of)
    mean, std, error = model.without_each()
    z = (model.values - mean) / std
    like = ds[model.name]
    found = xr.Dataset(coords={"trial": ds["trial"].variable[model.rows]})
    for name, values, text in (
        ("observed", model.values, model.name),
        ("predicted", mean, f"{model.name} predicted from all other trials"),
        ("std", std, "standard deviation of the prediction"),
    ):
        found[name] = facts.described(xr.DataArray(values, dims="trial"), like, long_name=text)
    found["z"] = ("trial", z, {"long_name": "error in standard deviations", "units": "1"})
    found["r2"] = (
        (),
        1.0 - np.mean(error**2),
        {"long_name": "share of the variance predicted", "units": "1"},
    )
    covered = np.mean(np.abs(z) < 1.96)
    found["coverage"] = ((), covered, {"long_name": "share within 95 % intervals", "units": "1"})
    return found


def partial_dependence(
    ds: xr.Dataset,
    parameters: str | Sequence[str],
    of: str | None = None,
    *,
    points: int | None = None,
    model: Surrogate | None = None,
) -> xr.Dataset:
    """The effect of one or two parameters, averaged over the other parameters of the trials.

    of: the quantity, default the first objective; points: of the grid along each parameter; model: of
    that quantity, where it is fitted already. Along the parameters: `mean` and `std` of the surrogate's
    average, NaN where the space's constraints or conditions allow no point; `support`, the number of
    completed trials nearest to each point of the grid. A parameter of such a name keeps it: the variable
    then ends in an underscore.
    Raises StudyError below four trials and for unknown parameters.
    """
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    varied = facts.varied(ds)
    if len(names) not in _POINTS or len(set(names)) < len(names) or not varied.keys() >= set(names):
        raise StudyError(f"{parameters!r}: name one or two different ones of {', '.join(varied)}")
    model = model or Surrogate(ds, of)
    levels = [_levels(varied[name], points or _POINTS[len(names)]) for name in names]
    where = [list(varied).index(name) for name in names]
    mean, std = model.average(_groups(ds, model, where, [unit for _, unit in levels]))
    shape = [len(unit) for _, unit in levels]
    like = ds[model.name]
    coords = {
        name: (name, values, dict(ds[name].attrs)) for name, (values, _) in zip(names, levels, strict=True)
    }
    found = xr.Dataset(coords=coords, attrs={"of": model.name})
    text = f"{model.name} averaged over the other parameters"
    columns = {
        "mean": facts.described(xr.DataArray(mean.reshape(shape), dims=names), like, long_name=text),
        "std": facts.described(
            xr.DataArray(std.reshape(shape), dims=names), like, long_name="standard deviation of that average"
        ),
        "support": (names, _support(ds, names, levels), {"long_name": "completed trials near the point"}),
    }
    return found.assign({f"{key}_" if key in names else key: item for key, item in columns.items()})


def _levels(parameter: Parameter, points: int) -> tuple[NDArray[Any], Array]:
    """Values from end to end, and their places in the unit interval."""
    if isinstance(parameter, Real) or (
        (parameter.cardinality or 0) > points and not isinstance(parameter, Choice)
    ):
        values = list(dict.fromkeys(parameter.from_unit(np.linspace(0.0, 1.0, points))))
    else:
        values = list(parameter.levels(points))
    array = np.array(values)
    return (
        array if array.dtype.kind in "bif" else np.array(list(map(str, values)), object)
    ), parameter.to_unit(values)


def _groups(ds: xr.Dataset, model: Surrogate, columns: list[int], levels: list[Array]) -> Iterator[Array]:
    """For each point of the grid the trials' points, moved there: what is a point of the space."""
    rng = np.random.default_rng(0)
    space, varied = model.space, facts.varied(ds)
    count = min(len(model.unit), _AVERAGED[len(columns)])
    rows = rng.choice(len(model.unit), count, replace=False)
    base = model.unit[rows]
    trials = ds.isel(trial=model.rows[rows])
    for column, (name, parameter) in enumerate(varied.items()):
        # What a trial does not have, and would have with another choice, is drawn.
        is_missing = ~facts.activity(trials, name, parameter)
        base[is_missing, column] = rng.random(is_missing.sum())
    is_plain = not space.constraints and all(item.when is None for item in varied.values())
    shown = [list(varied)[column] for column in columns]
    for place in itertools.product(*levels):
        moved = base.copy()
        moved[:, columns] = place
        if not is_plain:
            points = [
                point
                for point in space.from_unit_many(moved)
                if space.is_feasible(point) and point.keys() >= set(shown)
            ]
            moved = space.to_unit_many(points)
        yield moved


def _support(ds: xr.Dataset, names: list[str], levels: list[tuple[NDArray[Any], Array]]) -> NDArray[np.int64]:
    """Completed trials by the nearest point of the grid, where all of the parameters exist."""
    trials = ds.isel(trial=facts.is_completed(ds))
    varied, unit = facts.varied(trials), facts.unit(trials)
    is_there = np.all([facts.activity(trials, name, varied[name]) for name in names], axis=0)
    nearest = []
    for name, (_, places) in zip(names, levels, strict=True):
        column = unit[is_there, list(varied).index(name)]
        nearest.append(np.searchsorted((places[1:] + places[:-1]) / 2, column))
    found = np.zeros([len(places) for _, places in levels], dtype=np.int64)
    np.add.at(found, tuple(nearest), 1)
    return found
