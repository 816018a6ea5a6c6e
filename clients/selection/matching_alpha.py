# SPDX-License-Identifier: Apache-2.0
"""Rule ``matching-alpha``: grow the subset of least predicted error of a regression in high dimension."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.moments import Growing, principal
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.covariances import MatchingAlpha
from tailweave.protocols.references.empirical import Empirical

_LEAST_VARIANCE = 1e-6
_STEPS, _WIDTH = 30, 1e-5
"""Bisection ends after this many halvings, or once n a is known to this width."""


@implements(MatchingAlpha)
def rule(spec: MatchingAlpha, candidates: Candidates, reference: Empirical, rng: Generator) -> Ints:
    """As the contract says; see ``matching_alpha``."""
    return matching_alpha(reference, candidates.features, candidates.count, axes=spec.axes)


def matching_alpha(reference: Empirical, candidates: Floats, count: int, *, axes: int = 32) -> Ints:
    r"""Greedily add the candidate whose fixed point alpha is least.

    .. math:: \sum_{i \le p} \frac{1}{\lambda_i a + 1 - p/n - a} = \frac{p + n a - n_1}{1 - p/n - a}

    with lambda the eigenvalues of W Cov(S + x) W, W = Cov(ref)^{-1/2}, n_1 the picks with x and
    n = n_ref + n_1. As published, reference and candidates are each projected on their *own* p = min(axes, d)
    main axes, which are then taken for the same ones, and the first pick is candidate 0, as one point has
    covariance 0 whichever it is.

    Args:
        reference: Points (m, d) with masses, m > p.
        candidates: Features, shape (N, d).
        count: n <= N.
        axes: Main axes at most; 32 is published.

    Returns:
        Indices in order of picking, shape (n,); of alphas that bisection cannot tell apart, the lower
        index.

    Raises:
        ValueError: If n is not in 1..N, candidates do not fit, or the reference has too few points.

    Source:
        Rezaei et al. (2025), arXiv 2510.08123, as compared in arXiv 2606.13732.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    variances, _ = principal(reference, axes)
    if len(reference.points) <= len(variances):
        raise ValueError(
            f"rule matching-alpha needs more than {len(variances)} reference points, as many as it has axes, "
            f"got {len(reference.points)}"
        )
    if len(x) == 1:
        return np.zeros(1, dtype=np.int64)
    _, own = principal(Empirical.of(x), axes)
    scale = np.sqrt(np.maximum(variances, _LEAST_VARIANCE))
    return _greedy((x - x.mean(axis=0)) @ own / scale, len(reference.points), count)


def _greedy(white: Floats, reference_rows: int, count: int) -> Ints:
    """Pick by whitened candidates, shape (N, p)."""
    picks = np.zeros(count, dtype=np.int64)
    left = np.ones(len(white), dtype=bool)
    left[0] = False
    subset = Growing.of(white[0])
    for t in range(1, count):
        rest = np.flatnonzero(left)
        spectrum, vectors = np.linalg.eigh(subset.scatter / t)
        squares = ((white[rest] - subset.mean) @ vectors) ** 2
        picks[t] = rest[_least_alpha(np.maximum(spectrum, 0.0), squares, reference_rows, t + 1)]
        left[picks[t]] = False
        subset.add(white[picks[t]])
    return picks


def _least_alpha(spectrum: Floats, squares: Floats, reference_rows: int, picked: int) -> int:
    """Return the position of the candidate with the least alpha, by one bisection for all.

    The new covariance is M + b g g': by Sherman and Morrison the left-hand side of every candidate is that
    of M less a rank-one term, so no candidate needs eigenvalues of its own. All start from one bracket;
    once some have their root in its lower half, the others are out.

    Args:
        spectrum: Eigenvalues of M, shape (p,).
        squares: Squared coordinates of g on the eigenvectors of M, shape (r, p).
        reference_rows: n_ref.
        picked: n_1 = t + 1; b = 1 / (t + 1).
    """
    n, p = reference_rows + picked, len(spectrum)

    def excess(scaled: float, of: Floats) -> Floats:
        a = scaled / n
        rest = 1.0 - p / n - a
        inverse = 1.0 / (a * spectrum + rest)
        b = a / picked
        trace = inverse.sum() - b * (of @ inverse**2) / (1.0 + b * (of @ inverse))
        gap: Floats = trace - (p + scaled - picked) / rest
        return gap

    alive = np.arange(len(squares))
    lower, upper = 1e-8, n - p - 1e-6
    at_lower = excess(lower, squares)
    for _ in range(_STEPS):
        if len(alive) == 1 or upper - lower < _WIDTH:
            break
        middle = (lower + upper) / 2.0
        at_middle = excess(middle, squares[alive])
        below = at_middle * at_lower < 0.0
        if below.any():
            upper, alive, at_lower = middle, alive[below], at_lower[below]
        else:
            lower, at_lower = middle, at_middle
    return int(alive[0])
