"""Which parameters matter."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from asktell.analysis import facts
from asktell.errors import StudyError
from asktell.optimize.surrogate import Features

Array = NDArray[np.float64]

_FEWEST_TRIALS = 10
_MOST_TRIALS = 2000  # a forest learns from, and is judged by; others are drawn each time
_TREES = 40
_LEAF = 2
_SHUFFLES = 3
_INTERVAL = (0.05, 0.95)


def importance(ds: xr.Dataset, of: str | None = None, *, repeats: int = 20, seed: int = 0) -> xr.Dataset:
    """How much worse trials' ranks are predicted when a parameter's values are shuffled, along `parameter`.

    of: the quantity, default the first objective. `importance`: the mean over `repeats` forests, each fitted
    to a bootstrap sample of the completed trials and judged by those it has not seen, of the loss in R²;
    `low` and `high`: the 5 % and 95 % quantiles over forests. A parameter that exists in some trials only is
    shuffled among these. `score`: R² with nothing shuffled; near 0, the forests know nothing and neither
    do the importances. Ranks, so that a few extreme values do not decide. Of forests that know everything it
    would be twice the parameter's total Sobol index of the ranks. Raises StudyError below ten trials.
    """
    name = facts.objective(ds, of)
    trials = ds.isel(trial=facts.is_completed(ds) & np.isfinite(ds[name].values.astype(np.float64)))
    n = trials.sizes["trial"]
    if n < _FEWEST_TRIALS:
        raise StudyError(f"{n} trials have {name!r}; importance needs {_FEWEST_TRIALS}")
    varied, unit = facts.varied(ds), facts.unit(trials)
    is_active = np.stack([facts.activity(trials, key, item) for key, item in varied.items()], axis=1)
    ranks = _ranks(trials[name].values)
    features = Features(facts.space(ds))
    rngs = np.random.default_rng(seed).spawn(repeats)
    found = [_judge(features, unit, is_active, ranks, rng) for rng in rngs]
    losses = np.array([loss for loss, _ in found])
    low, high = np.quantile(losses, _INTERVAL, axis=0)
    columns = {
        "importance": (losses.mean(axis=0), f"loss of R² for {name} when shuffled"),
        "low": (low, f"{_INTERVAL[0]:.0%} quantile over forests"),
        "high": (high, f"{_INTERVAL[1]:.0%} quantile over forests"),
    }
    result = xr.Dataset(
        {
            key: ("parameter", values, {"long_name": text, "units": "1"})
            for key, (values, text) in columns.items()
        },
        coords={"parameter": list(varied)},
        attrs={"of": name, "trials": n, "repeats": repeats},
    )
    score = float(np.mean([score for _, score in found]))
    result["score"] = ((), score, {"long_name": "R² of the ranks of unseen trials", "units": "1"})
    return result.sortby("importance", ascending=False)


def _judge(
    features: Features, unit: Array, is_active: NDArray[np.bool_], ranks: Array, rng: np.random.Generator
) -> tuple[Array, float]:
    """Loss in R² by parameter, (d,), and R² itself, of one forest on trials that it has not seen."""
    from sklearn.ensemble import ExtraTreesRegressor

    n = len(ranks)
    unseen = np.empty(0, dtype=np.int64)
    while len(unseen) < 2:  # of few trials, a sample with replacement may have all
        seen = rng.integers(n, size=min(n, _MOST_TRIALS))
        unseen = rng.permutation(np.setdiff1d(np.arange(n), seen))[:_MOST_TRIALS]
    truth = ranks[unseen]
    if not np.ptp(truth):
        return np.zeros(unit.shape[1]), 0.0  # nothing varies, so nothing is known
    spread = float(np.sum((truth - truth.mean()) ** 2))
    forest = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, random_state=int(rng.integers(2**31)))
    forest.fit(features.of(unit[seen]), ranks[seen])

    def errors(places: Array) -> Array:
        """places: (k * trials, d), k times all unseen trials; returns (k,)."""
        predicted = forest.predict(features.of(places)).reshape(-1, len(truth))
        found: Array = np.sum((predicted - truth) ** 2, axis=1) / spread
        return found

    plain = float(errors(unit[unseen])[0])
    losses = np.zeros(unit.shape[1])
    for column in range(len(losses)):
        rows = np.flatnonzero(is_active[unseen, column])
        shuffled = np.tile(unit[unseen], (_SHUFFLES, 1, 1))
        for places in shuffled:
            places[rows, column] = unit[unseen[rng.permutation(rows)], column]
        losses[column] = np.mean(errors(shuffled.reshape(-1, unit.shape[1]))) - plain
    return losses, 1.0 - plain


def _ranks(values: NDArray[np.generic]) -> Array:
    """Ranks from 0 to 1; equal values have their mean rank."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 0.5) / len(values), dtype=np.float64)
