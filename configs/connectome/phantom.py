"""A slice of white matter with known connections: five bundles that cross and kiss between eight regions.

    R  regions
    B  bundles
    x, y, z  voxels along each axis
    g  diffusion measurements

Lengths are millimetres, diffusivities mm²/s, b-values s/mm². Voxel (i, j, k) has its centre at
VOXEL_MM * (i, j, k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from dipy.core.gradients import GradientTable, gradient_table
from dipy.core.sphere import HemiSphere
from dipy.data import get_sphere
from dipy.sims.phantom import add_noise
from numpy.typing import NDArray

GRID = (32, 32, 5)
VOXEL_MM = 2.0
AFFINE = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])

Point = tuple[float, float]

REGIONS: dict[str, Point] = {
    "west": (4, 22),
    "east": (58, 22),
    "north": (24, 58),
    "south": (24, 4),
    "north_west": (6, 46),
    "south_east": (46, 4),
    "north_east": (56, 52),
    "south_west": (6, 4),
}
REGION_MARGIN_MM = 3.0  # how far a region reaches beyond the bundles that end in it


@dataclass(frozen=True, slots=True)
class Bundle:
    """A tube between two regions around a quadratic Bézier curve, which `bend` pulls to itself."""

    start: str
    end: str
    bend: Point
    radius_mm: float


BUNDLES = (
    Bundle("west", "east", (31, 26), 4.0),
    Bundle("south", "north", (22, 31), 3.0),
    Bundle("north_west", "south_east", (48, 52), 3.0),  # crosses the two above
    Bundle("north_east", "east", (42, 36), 2.5),  # kisses the one above
    Bundle("south_west", "west", (18, 13), 2.5),  # short, with a sharp turn
)

B_VALUE = 2000.0
ALONG, ACROSS, BACKGROUND = 1.7e-3, 0.3e-3, 0.9e-3  # diffusivities
SNR = 25.0  # of the image without diffusion weighting
SEED = 2026


@dataclass(frozen=True, slots=True)
class Phantom:
    """What a scanner would see, and what it cannot see.

    signal: (x, y, z, g) with Rician noise; labels: (x, y, z), region number from 1, 0 elsewhere;
    fractions: (x, y, z, B), the part of each voxel that belongs to each bundle;
    truth: (R, R), symmetric: each bundle's share of the white matter's volume.
    """

    gradients: GradientTable
    signal: NDArray[np.float64]
    labels: NDArray[np.int64]
    fractions: NDArray[np.float64]
    truth: NDArray[np.float64]


def simulate() -> Phantom:
    """The phantom; always the same one."""
    directions = HemiSphere.from_sphere(get_sphere(name="repulsion100")).vertices
    b_vectors = np.vstack([np.zeros((4, 3)), directions])
    b_values = np.where(b_vectors.any(axis=1), B_VALUE, 0.0)
    fractions, tangents = _lay_bundles()
    signal = (1 - fractions.sum(axis=-1))[..., None] * np.exp(-b_values * BACKGROUND)
    for index in range(len(BUNDLES)):
        diffusivity = ACROSS + (ALONG - ACROSS) * (tangents[..., index, :] @ b_vectors.T) ** 2
        signal += fractions[..., index, None] * np.exp(-b_values * diffusivity)
    rng = np.random.default_rng(SEED)
    return Phantom(
        gradients=gradient_table(b_values, bvecs=b_vectors),
        signal=add_noise(signal, snr=SNR, S0=1.0, noise_type="rician", rng=rng),
        labels=_label_regions(),
        fractions=fractions,
        truth=_connect(fractions.sum(axis=(0, 1, 2))),
    )


def _lay_bundles() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fractions (x, y, z, B), which sum to at most 1 in a voxel, and unit tangents (x, y, z, B, 3)."""
    centres = _voxel_centres()
    along = np.linspace(0.0, 1.0, 201)[:, None]
    fractions, tangents = [], []
    for bundle in BUNDLES:
        start, bend, end = (
            np.array(p, float) for p in (REGIONS[bundle.start], bundle.bend, REGIONS[bundle.end])
        )
        curve = _in_plane(
            (1 - along) ** 2 * start + 2 * along * (1 - along) * bend + along**2 * end, _mid_z()
        )
        tangent = _in_plane((1 - along) * (bend - start) + along * (end - bend), 0.0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        distance = np.linalg.norm(centres[..., None, :] - curve, axis=-1)
        # a linear edge, one voxel wide, stands for the partial volume at the tube's surface
        fractions.append(np.clip((bundle.radius_mm - distance.min(axis=-1)) / VOXEL_MM + 0.5, 0.0, 1.0))
        tangents.append(tangent[distance.argmin(axis=-1)])
    filled = np.stack(fractions, axis=-1)
    return filled / np.maximum(filled.sum(axis=-1, keepdims=True), 1.0), np.stack(tangents, axis=-2)


def _label_regions() -> NDArray[np.int64]:
    centres = np.array([(*place, _mid_z()) for place in REGIONS.values()])
    radii = [max(b.radius_mm for b in BUNDLES if name in (b.start, b.end)) for name in REGIONS]
    distance = np.linalg.norm(_voxel_centres()[..., None, :] - centres, axis=-1)
    inside = distance.min(axis=-1) < np.array(radii)[distance.argmin(axis=-1)] + REGION_MARGIN_MM
    return np.where(inside, distance.argmin(axis=-1) + 1, 0)


def _connect(volumes: NDArray[np.float64]) -> NDArray[np.float64]:
    names = list(REGIONS)
    truth = np.zeros((len(names), len(names)))
    for bundle, volume in zip(BUNDLES, volumes, strict=True):
        row, column = names.index(bundle.start), names.index(bundle.end)
        truth[row, column] = truth[column, row] = volume / volumes.sum()
    return truth


def _voxel_centres() -> NDArray[np.float64]:
    return VOXEL_MM * np.stack(np.meshgrid(*map(np.arange, GRID), indexing="ij"), axis=-1).astype(float)


def _mid_z() -> float:
    return VOXEL_MM * (GRID[2] - 1) / 2


def _in_plane(points: NDArray[np.float64], z: float) -> NDArray[np.float64]:
    return np.column_stack([points, np.full(len(points), z)])
