# SPDX-License-Identifier: Apache-2.0
"""Rule ``covariance-matching``: grow the subset whose covariance is nearest the reference's."""

import numpy as np

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.moments import Growing, gaussian, principal
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.covariances import CovarianceMatching
from tailweave.protocols.references.empirical import Empirical


@implements(CovarianceMatching)
def rule(
    spec: CovarianceMatching, candidates: Candidates, reference: Empirical, rng: np.random.Generator
) -> Ints:
    """As the contract says; see ``covariance_matching``."""
    return covariance_matching(reference, candidates.features, candidates.count, rng=rng, axes=spec.axes)


def covariance_matching(
    reference: Empirical, candidates: Floats, count: int, *, rng: np.random.Generator, axes: int = 32
) -> Ints:
    r"""Start from one random candidate and greedily add the one that leaves the covariances nearest.

    .. math:: x_{t+1} = \arg\min_x \| Cov(S_t + x) - Cov(ref) \|_F

    Both covariances are unbiased. Columns beyond ``axes`` are projected on the reference's main axes.

    Args:
        reference: At least two points (m, d) with masses.
        candidates: Features, shape (N, d).
        count: n <= N.
        rng: Stream of the first pick.
        axes: Most columns that are compared; 32 is published.

    Returns:
        Indices in order of picking, shape (n,); ties go to the lower index.

    Raises:
        ValueError: If n is not in 1..N, candidates do not fit, or the reference is a single point.

    Source:
        Rezaei et al. (2025), arXiv 2510.08123, as compared in arXiv 2606.13732 (no scale constraint).
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    factor = gaussian(reference).factor
    if reference.dimension > axes:
        _, main = principal(reference, axes)
        x, factor = x @ main, factor @ main
    return _greedy(factor.T @ factor, x, count, int(rng.integers(len(x))))


def _greedy(target: Floats, x: Floats, count: int, first: int) -> Ints:
    """Run the loop at O(N d^2) a step.

    With A = Cov(S_t) scaled to t + 1 points - target and g = x - mean(S_t), the new covariance is off by
    A + b g g', b = 1/(t + 1), whose squared norm is |A|^2 + 2 b g'Ag + b^2 |g|^4.
    """
    picks = np.empty(count, dtype=np.int64)
    picks[0] = first
    left = np.ones(len(x), dtype=bool)
    left[first] = False
    subset = Growing.of(x[first])
    for t in range(1, count):
        off = subset.scatter / t - target
        gaps = x - subset.mean
        b = 1.0 / (t + 1)
        change = np.einsum("ij,ij->i", gaps @ off, gaps) * (2.0 * b)
        change += np.einsum("ij,ij->i", gaps, gaps) ** 2 * b**2
        picks[t] = np.argmin(np.where(left, change, np.inf))
        left[picks[t]] = False
        subset.add(x[picks[t]])
    return picks
