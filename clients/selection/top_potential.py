# SPDX-License-Identifier: Apache-2.0
"""Rule ``top-potential``: the published score-and-cut on optimal-transport potentials."""

import numpy as np
import ot

from protocols.arrays import Floats, Ints, matrix
from protocols.references.empirical import Empirical


def transport_potential(reference: Empirical, candidates: Floats) -> Floats:
    """Return the dual potential of each candidate in the exact W2^2 problem.

    Args:
        reference: Points (m, d) with masses.
        candidates: Features, shape (N, d), masses 1/N.

    Returns:
        f, shape (N,), squared feature units; W2^2 grows by f_i a unit of mass moved to candidate i.

    Raises:
        ValueError: If candidates do not fit, or the solver fails.

    Source:
        Kantorovich duality; POT's network simplex (``ot.emd`` returns the duals).
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    masses = np.full(len(x), 1.0 / len(x))
    cost = ot.dist(x, reference.points)
    _, log = ot.emd(masses, reference.masses, cost, numItermax=2_000_000, log=True, check_marginals=False)
    if log["result_code"] != 1:
        raise ValueError(f"optimal transport did not finish: {log['warning']}")
    duals: Floats = np.asarray(log["u"], dtype=np.float64)
    return duals


def top_potential(reference: Empirical, candidates: Floats, count: int) -> Ints:
    """Keep the n candidates whose calibrated gradient is lowest.

    The calibrated gradient is N/(N-1) (f_i - mean f), an increasing map of f, so the ranking is that of f.

    Args:
        reference: Points (m, d) with masses.
        candidates: Features, shape (N, d).
        count: n <= N.

    Returns:
        Indices, ascending, shape (n,); ties go to the lower index.

    Raises:
        ValueError: If n is not in 1..N, candidates do not fit, or the solver fails.

    Source:
        arXiv 2606.13732, score of Scheme II; LAVA (Just et al. 2023), eq. 4.
    """
    if not 1 <= count <= len(candidates):
        raise ValueError(f"count must be in 1..{len(candidates)} (the candidates), got {count}")
    order = np.argsort(transport_potential(reference, candidates), kind="stable")
    return np.sort(order[:count])
