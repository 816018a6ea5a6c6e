# SPDX-License-Identifier: Apache-2.0
"""Rule ``farthest-point``: always take the candidate that is farthest from all taken so far."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.plain import FarthestPoint


@implements(FarthestPoint)
def rule(spec: FarthestPoint, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """As the contract says; see ``farthest_point``."""
    return farthest_point(candidates.features, candidates.count, rng=rng)


def farthest_point(candidates: Floats, count: int, *, rng: Generator) -> Ints:
    r"""Grow a subset by the candidate whose nearest member of it is farthest away.

    .. math:: x_{t+1} = \arg\max_{x \in C \setminus S_t} \min_{y \in S_t} \|x - y\|

    The first is drawn uniformly; the publication leaves it open. Ties go to the lowest index, so candidates
    equal to a taken one come last. No reference is used. Cost: n columns of distances.

    Args:
        candidates: Features, shape (N, d).
        count: n <= N.
        rng: Stream of the first pick.

    Returns:
        Indices in order of picking, shape (n,).

    Raises:
        ValueError: If n is not in 1..N or candidates are not finite.

    Source:
        Greedy selection of Shi et al. (2025), arXiv 2509.16499; farthest-point sampling, Gonzalez (1985).
    """
    x = matrix(candidates, "candidates")
    check_count(count, len(x))
    picks = np.empty(count, dtype=np.int64)
    picks[0] = rng.integers(len(x))
    nearest_sq = np.full(len(x), np.inf)
    for t in range(1, count):
        last = picks[t - 1]
        nearest_sq = np.minimum(nearest_sq, ((x - x[last]) ** 2).sum(axis=1))
        nearest_sq[last] = -np.inf  # stays so: a taken one is never the farthest again
        picks[t] = np.argmax(nearest_sq)
    return picks
