# SPDX-License-Identifier: Apache-2.0
"""Nearest-neighbour metrics: fidelity, coverage, and how near the generated rows are to the training rows."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import Floats, matrix

_BLOCK = 4_000_000


def resolution(*arrays: Floats) -> float:
    """Spacing of float64 at the largest magnitude: a shorter distance cannot be told from zero.

    Args:
        *arrays: Arrays of any shape.

    Returns:
        A positive distance in the units of the arrays, about 2e-16 of their largest magnitude.
    """
    return float(np.spacing(max(np.abs(array).max() for array in arrays)))


def rounding(*arrays: Floats) -> float:
    """Distance below which rows count as equal: a feature map rounds equal rows to features so far apart.

    Args:
        *arrays: Arrays of shape (n, d).

    Returns:
        16 sqrt(d) times ``resolution``.
    """
    return 16.0 * float(np.sqrt(arrays[0].shape[1])) * resolution(*arrays)


def neighbour_radii(distances: Floats, k: int) -> Floats:
    """Distance from each row to its k-th nearest other row.

    Args:
        distances: Distances of a sample to itself, shape (n, n), with a zero diagonal.
        k: Which neighbour, at least 1. With k rows or fewer the farthest row is taken.

    Returns:
        Radii, shape (n,), in units of the features; 0 for a single row and where k rows equal this one.

    Raises:
        ValueError: If ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    rank = min(k, len(distances) - 1)
    radii: Floats = np.partition(distances, rank, axis=1)[:, rank]  # rank 0 is the row itself
    return radii


def precision_recall_density_coverage(generated: ArrayLike, truth: ArrayLike, k: int = 5) -> dict[str, float]:
    """Share of plausible samples and share of the truth that they reach, from balls around k-th neighbours.

    precision: share of generated rows inside the ball of some true row; recall: share of true rows inside the
    ball of some generated row; density: how many true balls hold a generated row, over k (may exceed 1);
    coverage: share of true balls that hold some generated row. A ball reaches to the k-th nearest other row
    of its own sample and holds its border.

    Args:
        generated: Generated rows, shape (m, d).
        truth: True rows, shape (r, d).
        k: Which neighbour sets the radius, at least 1; a sample of k rows or fewer uses its farthest row
            (one row: radius 0), and density then divides by the neighbours there are.

    Returns:
        ``precision``, ``recall``, ``density``, ``coverage``, each without unit.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix, the columns differ, or ``k`` is below 1.

    Source:
        Kynkäänniemi et al. (2019), arXiv 1904.06991, Eq. 1-2; Naeem et al. (2020), arXiv 2002.09797, Sec. 3.
    """
    x = matrix(generated, "generated")
    y = matrix(truth, "truth", columns=x.shape[1])
    return fidelity_and_cover(
        cdist(x, y), neighbour_radii(cdist(x, x), k), neighbour_radii(cdist(y, y), k), k
    )


def fidelity_and_cover(
    between: Floats, generated_radii: Floats, truth_radii: Floats, k: int
) -> dict[str, float]:
    """Precision, recall, density and coverage from distances that are known already.

    Args:
        between: Distances from generated to true rows, shape (m, r).
        generated_radii: ``neighbour_radii`` of the generated rows, shape (m,).
        truth_radii: ``neighbour_radii`` of the true rows, shape (r,).
        k: The neighbour that the radii belong to.

    Returns:
        As ``precision_recall_density_coverage``.
    """
    in_truth = between <= truth_radii  # (m, r)
    in_generated = between <= generated_radii[:, None]  # (m, r)
    neighbours = max(1, min(k, len(truth_radii) - 1))
    return {
        "precision": float(in_truth.any(axis=1).mean()),
        "recall": float(in_generated.any(axis=0).mean()),
        "density": float(in_truth.sum() / (neighbours * len(in_truth))),
        "coverage": float(in_truth.any(axis=0).mean()),
    }


def generalization_score(generated: ArrayLike, training: ArrayLike) -> float:
    """Mean distance from each generated row to the nearest row that its generator was trained on.

    Args:
        generated: Generated rows, shape (m, d).
        training: Training rows of that same generation, shape (n, d).

    Returns:
        Mean distance in units of the features; 0 if every generated row is a copy.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix or the columns differ.

    Source:
        Shi et al. (2025), arXiv 2509.16499, the generalisation score GS(n).
    """
    x = matrix(generated, "generated")
    z = matrix(training, "training", columns=x.shape[1])
    step = max(1, _BLOCK // len(z))
    nearest = [cdist(x[i : i + step], z).min(axis=1) for i in range(0, len(x), step)]  # (m,) in blocks
    return float(np.concatenate(nearest).mean())


def memorization(generated: ArrayLike, training: ArrayLike, truth: ArrayLike) -> float:
    """Generalisation score of the generated rows over that of true rows the generator has not seen.

    Args:
        generated: Generated rows, shape (m, d).
        training: Training rows of that same generation, shape (n, d).
        truth: Held-out true rows, shape (r, d).

    Returns:
        Ratio without unit: 1 as new as fresh truth, towards 0 copied from the training rows. If every true
        row is a training row the divisor is ``resolution``, so that the ratio stays finite.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix or the columns differ.

    Source:
        Normalised by the truth here; the score is that of arXiv 2509.16499.
    """
    x = matrix(generated, "generated")
    z = matrix(training, "training", columns=x.shape[1])
    y = matrix(truth, "truth", columns=x.shape[1])
    return generalization_score(x, z) / max(generalization_score(y, z), resolution(x, y, z))
