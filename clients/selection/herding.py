# SPDX-License-Identifier: Apache-2.0
"""Rule ``herding``: pick the subset whose distribution is nearest the reference in energy distance."""

from typing import Protocol

import numpy as np
from numpy.random import Generator

from tailweave.clients.neural.processor import processor_in_use
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.windows import windowed_herding
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import Herding
from tailweave.protocols.references.pairs import PairDistances
from tailweave.protocols.references.residual import Running

AT_ONCE = 4096
"""Candidates that are decided on at once where no window is asked for."""


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
    """As the contract says; see ``nearest_subset``."""
    given = reference, candidates.features, candidates.count
    return nearest_subset(*given, length=spec.window, rng=rng)


def nearest_subset(
    reference: Potential, candidates: Floats, count: int, *, length: int | None = None, rng: Generator
) -> Ints:
    """Pick by ``herding``, or in windows where there are too many candidates for it.

    Args:
        reference: As for ``herding``. One of another package that has no ``residual`` is herded against at
            once, however many candidates there are.
        candidates: Features, shape (N, d).
        count: n <= N.
        length: Candidates of a window; beyond as many there are windows. None: windows of the reference's own
            length, beyond ``AT_ONCE`` candidates.
        rng: Draws the windows; nothing is drawn where there are none.

    Returns:
        Indices of the picked candidates, shape (n,).

    Raises:
        ValueError: If n is not in 1..N, the candidates do not fit the reference, or a length is given and the
            reference cannot be herded against in windows.
    """
    check_count(count, len(candidates))
    if len(candidates) <= (AT_ONCE if length is None else length):
        return herding(reference, candidates, count)
    if isinstance(reference, Running):
        residual = reference.residual(processor_in_use())
        own = residual.window_length if length is None else length
        return windowed_herding(residual, candidates, count, length=own, rng=rng)
    if length is None:
        return herding(reference, candidates, count)
    raise ValueError(
        f"window must not be set for a reference of type {type(reference).__name__}, which has no residual, "
        f"got {length}"
    )


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
    check_count(count, len(candidates))
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
