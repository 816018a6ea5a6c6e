# SPDX-License-Identifier: Apache-2.0
"""Energy distance: zero only when two laws agree, in every moment and every mode."""

from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import matrix


def energy_distance(generated: ArrayLike, truth: ArrayLike) -> float:
    r"""Energy distance between two samples, as a V-statistic.

    .. math:: 2 E|X - Y| - E|X - X'| - E|Y - Y'|

    All pairs count, a row with itself too: the value is the exact, hence non-negative, energy distance of the
    two empirical measures, and is biased upwards by E|X - X'| / m + E|Y - Y'| / r.

    Args:
        generated: Generated rows, shape (m, d).
        truth: True rows, shape (r, d).

    Returns:
        Distance in units of the features (not squared, no root); 0 for equal samples.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix or the columns differ.

    Source:
        Székely and Rizzo (2013), J. Stat. Plan. Inference 143:1249-1272, the two-sample
        statistic without its factor mr / (m + r).
    """
    x = matrix(generated, "generated")
    y = matrix(truth, "truth", columns=x.shape[1])
    return energy_from_means(cdist(x, y).mean(), cdist(x, x).mean(), cdist(y, y).mean())


def energy_from_means(between: float, within_generated: float, within_truth: float) -> float:
    """Energy distance from the three mean pairwise distances.

    Args:
        between: Mean of |x - y| over all pairs, units of the features.
        within_generated: Mean of |x - x'| over all pairs, a row with itself included.
        within_truth: Mean of |y - y'| over all pairs, a row with itself included.

    Returns:
        The distance; what rounding leaves below zero is zero.
    """
    return max(0.0, float(2.0 * between - within_generated - within_truth))
