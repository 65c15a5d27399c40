"""The best of several objectives: what no point beats, and how much it covers.

n  points        m  objectives, all minimised
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def is_efficient(losses: Array) -> NDArray[np.bool_]:
    """Which points no other beats in one objective without losing in another: (n,).

    losses: (n, m), finite. Of equal points the first counts.
    """
    import moocore  # slow to load

    if not len(losses):
        return np.zeros(0, dtype=bool)
    return np.asarray(moocore.is_nondominated(losses, keep_weakly=False), dtype=bool)


def hypervolume(losses: Array, reference: Sequence[float] | Array) -> float:
    """The volume between the points and a reference that is worse: of what they beat together.

    losses: (n, m), finite; reference: (m,). A point that is worse than the reference in one
    objective adds nothing. It grows with a front that is closer, wider or denser.
    """
    import moocore  # slow to load

    if not len(losses):
        return 0.0
    return float(moocore.hypervolume(losses, ref=np.asarray(reference, dtype=np.float64)))
