# SPDX-License-Identifier: Apache-2.0
"""Optimal transport between two samples of uniform mass; the cost is |x - y|^2 and no root is taken."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.pot import ot

EXACT_ROWS = 2000
"""Most rows a side for which the exact distance is solved (about one second at this size)."""

_PIVOTS = 100_000_000


def w2_sq(generated: ArrayLike, truth: ArrayLike) -> float:
    r"""Exact squared 2-Wasserstein distance between the two empirical measures.

    .. math:: W_2^2 = \min_P \sum_{ij} P_{ij} |x_i - y_j|^2, P 1 = 1/m, P' 1 = 1/r

    Args:
        generated: Generated rows, shape (m, d), m <= 2000.
        truth: True rows, shape (r, d), r <= 2000.

    Returns:
        Squared distance in (units of the features)^2, no root. Two samples of one law are not at distance
        zero: compare with the distance between two halves of the truth.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix, the columns differ, or a side has more
            than 2000 rows.

    Source:
        Network simplex of POT (Bonneel et al. 2011, ACM Trans. Graph. 30:158).
    """
    x = matrix(generated, "generated")
    y = matrix(truth, "truth", columns=x.shape[1])
    if max(len(x), len(y)) > EXACT_ROWS:
        raise ValueError(f"w2_sq takes at most {EXACT_ROWS} rows a side, got {len(x)} and {len(y)}")
    return transport_cost(cdist(x, y, "sqeuclidean"))


def transport_cost(cost: Floats) -> float:
    """Least cost of moving uniform mass on the rows to uniform mass on the columns.

    Args:
        cost: Cost of each pair, shape (m, r).

    Returns:
        The cost, in the units of ``cost``.

    Raises:
        ArithmeticError: If the network simplex does not reach the optimum.
    """
    rows, columns = cost.shape
    uniform = np.full(rows, 1.0 / rows), np.full(columns, 1.0 / columns)
    value, log = ot.emd2(*uniform, cost, numItermax=_PIVOTS, log=True)
    if log["warning"] is not None:
        raise ArithmeticError(f"exact transport of {rows} x {columns} failed: {log['warning']}")
    return float(value)


def sliced_w2_sq(generated: ArrayLike, truth: ArrayLike, directions: ArrayLike) -> float:
    r"""Monte-Carlo estimate of the squared sliced 2-Wasserstein distance.

    .. math:: SW_2^2 = E_\theta [ W_2^2(\theta_\# \mu, \theta_\# \nu) ]

    Every one-dimensional distance is exact, also for unequal sizes (the jumps of both quantile functions are
    merged, in integers).

    Args:
        generated: Generated rows, shape (m, d).
        truth: True rows, shape (r, d).
        directions: Unit vectors, shape (l, d).

    Returns:
        Squared distance in (units of the features)^2, no root; at most ``w2_sq``, equal to it if d = 1.

    Raises:
        ValueError: If an argument is not a finite, non-empty matrix, or the columns differ.

    Source:
        Bonneel et al. (2015), J. Math. Imaging Vis. 51:22-45.
    """
    x = matrix(generated, "generated")
    y = matrix(truth, "truth", columns=x.shape[1])
    theta = matrix(directions, "directions", columns=x.shape[1])
    return sliced_w2_sq_of_sorted(sorted_projections(x, theta), sorted_projections(y, theta))


def sorted_projections(rows: Floats, directions: Floats) -> Floats:
    """Return rows (n, d) on each of l directions (l, d), sorted, shape (n, l)."""
    found: Floats = np.sort(rows @ directions.T, axis=0)
    return found


def sliced_w2_sq_of_sorted(x: Floats, y: Floats) -> float:
    """Return ``sliced_w2_sq`` of samples whose sorted projections are x (m, l) and y (r, l)."""
    m, r = len(x), len(y)
    edges = np.union1d(np.arange(m) * r, np.arange(r) * m)  # where a quantile function jumps, in 1/(m r)
    masses = np.diff(edges, append=m * r) / (m * r)
    gaps = x[edges // r] - y[edges // m]  # (edges, l)
    return float((masses @ gaps**2).mean())
