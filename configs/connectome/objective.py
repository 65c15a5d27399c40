"""Tractography on a phantom, scored against its true connections.

The pipeline that a study tunes: anisotropy mask, constrained spherical deconvolution, tracking,
connectivity matrix between regions. The phantom is made when this module is imported: once for each
worker, whose evaluations are forks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from dipy.data import get_sphere
from dipy.reconst.csdeconv import ConstrainedSphericalDeconvModel, response_from_mask_ssst
from dipy.reconst.dti import TensorModel
from dipy.tracking.stopping_criterion import ThresholdStoppingCriterion
from dipy.tracking.tracker import deterministic_tracking, probabilistic_tracking
from dipy.tracking.utils import random_seeds_from_mask
from numpy.typing import NDArray
from phantom import AFFINE, GRID, REGIONS, VOXEL_MM, simulate

PHANTOM = simulate()
ANISOTROPY = TensorModel(PHANTOM.gradients).fit(PHANTOM.signal).fa
RESPONSE, _ = response_from_mask_ssst(PHANTOM.gradients, PHANTOM.signal, ANISOTROPY > 0.7)
SPHERE = get_sphere(name="repulsion200")
SEED = 10_007


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """A point of the search space. Lengths in millimetres, angles in degrees."""

    fa_threshold: float
    step_size: float
    max_angle: float
    min_length: int
    max_length: int
    seeds_per_voxel: int
    method: str
    relative_peak_threshold: float = 0.0  # deterministic: follow no direction below this part of the largest
    pmf_threshold: float = 0.0  # probabilistic: draw no direction below this part of the largest
    fod_power: float = 1.0  # probabilistic: above 1, draws keep closer to the peaks


def evaluate(**params: Any) -> xr.Dataset:
    """Quality of one tractogram, and its connectivity matrix."""
    matrix, unconnected = connect(track(Tracking(**params)))
    total = matrix.sum() / 2 + unconnected
    shares = matrix / max(total, 1)
    pairs = np.triu_indices(len(REGIONS), k=1)
    is_false = PHANTOM.truth[pairs] == 0
    return xr.Dataset(
        {
            "quality": overlap(shares, PHANTOM.truth),
            "density": np.mean(matrix[pairs] > 0),
            "false_positives": shares[pairs][is_false].sum(),
            "unconnected": unconnected / max(total, 1),
            "streamlines": float(total),
            "connectivity": (("roi", "roi_2"), shares.astype(np.float32)),
        },
        coords={"roi": list(REGIONS), "roi_2": list(REGIONS)},
    )


def track(tracking: Tracking) -> list[NDArray[np.float64]]:
    """Streamlines, (points, 3) each, in millimetres."""
    mask = tracking.fa_threshold < ANISOTROPY
    if not mask.any():
        return []
    fod = reconstruct(mask) ** tracking.fod_power
    is_deterministic = tracking.method == "deterministic"
    follow = deterministic_tracking if is_deterministic else probabilistic_tracking
    seeds = random_seeds_from_mask(mask, AFFINE, seeds_count=tracking.seeds_per_voxel, random_seed=SEED)
    streamlines = follow(
        seeds,
        ThresholdStoppingCriterion(ANISOTROPY, tracking.fa_threshold),
        AFFINE,
        sf=fod,
        sphere=SPHERE,
        min_len=tracking.min_length,
        max_len=tracking.max_length,
        step_size=tracking.step_size,
        max_angle=tracking.max_angle,
        pmf_threshold=tracking.relative_peak_threshold if is_deterministic else tracking.pmf_threshold,
        nbr_threads=1,
        random_seed=SEED,  # times a position's coordinates: large, so that neighbours draw differently
        return_all=False,
    )
    return list(streamlines)


def reconstruct(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fibre orientation distributions on SPHERE, (x, y, z, directions), 0 outside the mask."""
    model = ConstrainedSphericalDeconvModel(PHANTOM.gradients, RESPONSE, sh_order_max=8)
    return np.clip(model.fit(PHANTOM.signal, mask=mask).odf(SPHERE), 0.0, None)


def connect(streamlines: list[NDArray[np.float64]]) -> tuple[NDArray[np.int64], int]:
    """How many streamlines join each pair of regions, (R, R), symmetric; and how many join none."""
    ends = np.array([(line[0], line[-1]) for line in streamlines]).reshape(-1, 2, 3)
    voxels = np.clip(np.rint(ends / VOXEL_MM).astype(int), 0, np.array(GRID) - 1)
    first, last = PHANTOM.labels[tuple(np.moveaxis(voxels, -1, 0))].T
    counts = np.zeros((len(REGIONS) + 1, len(REGIONS) + 1), dtype=np.int64)
    np.add.at(counts, (first, last), 1)
    matrix = (counts + counts.T)[1:, 1:]
    np.fill_diagonal(matrix, 0)
    return matrix, len(streamlines) - int(matrix.sum()) // 2


def overlap(shares: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """What two distributions over pairs of regions have in common: 1 where equal, 0 where disjoint.

    shares, truth: (R, R), symmetric; the upper triangle of `truth` sums to 1, that of `shares` to 1 less
    the streamlines that join nothing, so that missed, false and lost connections all cost.
    """
    pairs = np.triu_indices(len(truth), k=1)
    return float(np.minimum(shares[pairs], truth[pairs]).sum())
