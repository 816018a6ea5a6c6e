# SPDX-License-Identifier: Apache-2.0
"""What curators prefer: one reward each, and how often each is asked."""

import numpy as np
from numpy.typing import ArrayLike

from tailweave.protocols.arrays import Floats, matrix

_SUM = 1e-9
"""How far from 1 the sum of weights may be: decimal fractions such as .1 do not add up exactly."""


def preference_weights(weights: ArrayLike, count: int) -> Floats:
    """Return the share of choices that each preference makes, checked.

    Args:
        weights: In [0, 1], summing to 1, shape (R,).
        count: R, the number of rewards.

    Raises:
        ValueError: If there are none, one is outside [0, 1], they do not sum to 1 or are not one a reward.
    """
    found = np.asarray(weights, dtype=np.float64)
    if count < 1 or found.size == 0:
        raise ValueError("weights must be one a reward, and there must be one or more rewards, got none")
    if found.shape != (count,):
        raise ValueError(f"weights must have shape ({count},), one a reward, got {found.shape}")
    if not ((found >= 0).all() and (found <= 1).all()):
        raise ValueError(f"weights must be in [0, 1], got {found.tolist()[:8]}")
    if not abs(found.sum() - 1.0) <= _SUM:
        raise ValueError(f"weights must sum to 1, got {found.tolist()[:8]}, which sum to {found.sum():g}")
    return found


def check_candidates(candidates: int) -> None:
    """Refuse choices among fewer than two; raises ``ValueError``."""
    if candidates < 2:
        raise ValueError(f"candidates must be 2 or more, for of one nothing is chosen, got {candidates}")


def quadratic(points: ArrayLike, centres: ArrayLike) -> Floats:
    """Return the reward -|x - c|^2 of every preference for every point.

    Args:
        points: x, shape (n, d).
        centres: c, what each preference likes best, shape (R, d).

    Returns:
        Shape (R, n), squared units of the points.

    Raises:
        ValueError: If a matrix is empty, not finite, or of another number of columns.
    """
    c = matrix(centres, "centres")
    x = matrix(points, "points", columns=c.shape[1])
    rewards: Floats = -((x[None, :, :] - c[:, None, :]) ** 2).sum(axis=2)
    return rewards
