# SPDX-License-Identifier: Apache-2.0
"""How varied a sample is: effective number of different rows, share of the variance kept, entropy."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist, pdist
from scipy.special import digamma, gammaln

from tailweave.clients.metrics.neighbours import resolution, rounding
from tailweave.protocols.arrays import Floats, matrix

_BLOCK = 4_000_000


def rbf_bandwidth(truth: ArrayLike) -> float:
    """Median distance between different true rows: the public length scale of ``vendi``.

    Args:
        truth: True rows, shape (r, d). Pairs of rows that are equal up to ``rounding`` say nothing of scale
            and are left out.

    Returns:
        A positive length in units of the features.

    Raises:
        ValueError: If ``truth`` is not a finite matrix with at least two different rows.

    Source:
        Median heuristic; Garreau et al. (2017), arXiv 1707.07269.
    """
    y = matrix(truth, "truth")
    distances = pdist(y)
    distances = distances[distances > rounding(y)]
    if not len(distances):
        raise ValueError(f"truth must hold at least two different rows, got {len(y)} equal ones")
    return float(np.median(distances))


def vendi(samples: ArrayLike, bandwidth: float) -> float:
    r"""Vendi score: the effective number of different rows.

    .. math:: \exp(-\sum_i \lambda_i \log \lambda_i), \lambda=eig(K / n), K_{ij} = e^{-|x_i - x_j|^2 / (2b^2)}

    Args:
        samples: Rows, shape (n, d).
        bandwidth: b, positive, in units of the features; fixed from the truth so that scores compare.

    Returns:
        Between 1 (all rows equal, or one row) and n (all rows far apart). Grows with n: compare equal n.

    Raises:
        ValueError: If ``samples`` is not a finite, non-empty matrix or ``bandwidth`` is not positive.

    Source:
        Friedman and Dieng (2023), arXiv 2210.02410, Definition 3.1.
    """
    x = matrix(samples, "samples")
    return vendi_from_distances(cdist(x, x), bandwidth)


def vendi_from_distances(distances: Floats, bandwidth: float) -> float:
    """Vendi score from distances that are known already.

    Args:
        distances: Distances of a sample to itself, shape (n, n), in units of the features.
        bandwidth: Length scale of the kernel, positive, same units.

    Returns:
        As ``vendi``.

    Raises:
        ValueError: If ``bandwidth`` is not positive and finite.
    """
    if not 0.0 < bandwidth < np.inf:
        raise ValueError(f"bandwidth must be positive and finite, got {bandwidth}")
    scaled = np.minimum(distances, 40.0 * bandwidth) / bandwidth  # exp(-800) is 0, and nothing overflows
    eigenvalues = np.linalg.eigvalsh(np.exp(-0.5 * scaled**2) / len(distances))
    eigenvalues = eigenvalues[eigenvalues > 0.0]  # 0 log 0 = 0; rounding leaves some at -1e-17
    return float(np.exp(-(eigenvalues * np.log(eigenvalues)).sum()))


def variance_ratio(generated: ArrayLike, truth: ArrayLike) -> float:
    """Share of the total variance that is kept, tr S_generated / tr S_truth with N-1 covariances.

    Args:
        generated: Generated rows, shape (m, d). A single row has no variance: the ratio is 0.
        truth: True rows, shape (r, d).

    Returns:
        Ratio without unit, 1 when the spread is that of the truth.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix, the columns differ, or the true rows
            are all equal up to ``rounding``.
    """
    x = matrix(generated, "generated")
    y = matrix(truth, "truth", columns=x.shape[1])
    total = _total_variance(y)
    if total <= rounding(y) ** 2:
        raise ValueError(f"truth must hold at least two different rows, got {len(y)} equal ones")
    return _total_variance(x) / total


def _total_variance(x: Floats) -> float:
    shifted = x - x[0]  # equal rows give exactly 0
    return float(((shifted - shifted.mean(axis=0)) ** 2).sum() / max(len(x) - 1, 1))


def entropy_kl(samples: ArrayLike, k: int = 5, *, most: int | None = None) -> float:
    r"""Kozachenko-Leonenko estimate of the differential entropy.

    .. math:: H = \psi(n) - \psi(k) + \log c_d + \frac{d}{n} \sum_x \log \epsilon_k(x)

    with :math:`\epsilon_k` the distance to the k-th nearest other row and c_d the volume of the unit ball.
    Where rows repeat, the true estimate is minus infinity; here a distance counts at least the spacing of
    float64 at the largest magnitude (``resolution``), below which rows cannot be told apart. So the value is
    always finite, and about -36 d for equal rows of magnitude 1.

    Args:
        samples: Rows, shape (n, d).
        k: Which neighbour, at least 1. With k rows or fewer the farthest row is taken and counted as such.
        most: Rows over which the mean of the log distances is taken, spread evenly; each looks for its
            neighbour among all n. None takes all.

    Returns:
        Entropy in nats, of rows measured in units of the features; may be negative.

    Raises:
        ValueError: If ``samples`` is not a finite, non-empty matrix or ``k`` is below 1.

    Source:
        Kozachenko and Leonenko (1987), Probl. Inf. Transm. 23:95-101; as in arXiv 2509.16499.
    """
    x = matrix(samples, "samples")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    n, rank = len(x), min(k, len(x) - 1)
    some = x[np.linspace(0, n - 1, min(n, most or n)).round().astype(np.int64)]
    step = max(1, _BLOCK // n)
    blocks = [np.partition(cdist(some[i : i + step], x), rank)[:, rank] for i in range(0, len(some), step)]
    return entropy_from_radii(np.concatenate(blocks), x.shape[1], k, resolution(x), rows=n)


def entropy_from_radii(
    radii: Floats, dimensions: int, k: int, floor: float, *, rows: int | None = None
) -> float:
    """Kozachenko-Leonenko entropy from radii that are known already.

    Args:
        radii: ``neighbour_radii`` of the samples, shape (n,), in units of the features.
        dimensions: d, the dimension of the rows.
        k: The neighbour that the radii belong to.
        floor: What a radius counts at least, positive, same units.
        rows: n, where the radii are those of a part of the rows; None where they are those of all.

    Returns:
        As ``entropy_kl``.
    """
    n = rows or len(radii)
    log_ball = 0.5 * dimensions * np.log(np.pi) - gammaln(0.5 * dimensions + 1.0)
    log_radius = np.log(np.maximum(radii, floor)).mean()
    return float(digamma(n) - digamma(max(1, min(k, n - 1))) + log_ball + dimensions * log_radius)
