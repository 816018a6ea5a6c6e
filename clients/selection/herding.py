# SPDX-License-Identifier: Apache-2.0
"""Rule ``herding``: pick the subset whose distribution is nearest the reference in energy distance."""

from typing import Protocol

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import Herding
from tailweave.protocols.references.pairs import PairDistances


class Potential(Protocol):
    """What herding needs of a reference."""

    def potential(self, x: Floats) -> Floats:
        """Return E|x - r|, shape (n,)."""
        ...

    def pairs(self, x: Floats) -> PairDistances:
        """Return distances between candidates in the same form."""
        ...


@implements(Herding)
def rule(spec: Herding, candidates: Candidates, reference: Potential, rng: Generator) -> Ints:
    """As the contract says; see ``herding``."""
    return herding(reference, candidates.features, candidates.count)


def herding(reference: Potential, candidates: Floats, count: int) -> Ints:
    r"""Greedily minimise the energy distance between the picked subset and the reference.

    .. math:: x_{t+1} = \arg\min_x \; h(x) - \frac{1}{t + 1} \sum_{i \le t} \|x - x_i\|

    The pick cancels its own sampling noise (super-uniform), which score-and-cut rules do not.

    Args:
        reference: Gives h and the matching form of the distance.
        candidates: Features, shape (N, d).
        count: n <= N.

    Returns:
        Indices of the picked candidates in order of picking, shape (n,).

    Raises:
        ValueError: If n is not in 1..N or the candidates do not fit the reference.

    Source:
        Chen, Welling & Smola (2010), eq. 8, with the energy kernel of Szekely & Rizzo (2013).
    """
    if not 1 <= count <= len(candidates):
        raise ValueError(f"count must be in 1..{len(candidates)} (the candidates), got {count}")
    return greedy(reference.potential(candidates), reference.pairs(candidates), count)


def greedy(potential: Floats, pairs: PairDistances, count: int) -> Ints:
    """Run the greedy loop.

    Ties go to the lowest index. Cost: ``count`` columns of distances, never the (N, N) matrix.

    Args:
        potential: h at each candidate, shape (N,).
        pairs: Distances between the candidates, in the form that matches h.
        count: n <= N.

    Returns:
        Indices in order of picking, shape (n,).
    """
    attraction = potential.copy()
    repulsion = np.zeros(len(potential))
    scores = attraction
    picks = np.empty(count, dtype=np.int64)
    for t in range(count):
        pick = int(np.argmin(scores))
        picks[t] = pick
        attraction[pick] = np.inf
        repulsion += pairs.column(pick)
        scores = attraction - repulsion / (t + 2)  # t + 1 are picked, the next makes t + 2
    return picks
