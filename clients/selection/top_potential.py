# SPDX-License-Identifier: Apache-2.0
"""Rule ``top-potential``: the published score-and-cut on optimal-transport potentials."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import TopPotential
from tailweave.protocols.references.empirical import Empirical


def transport_potential(reference: Empirical, candidates: Floats) -> Floats:
    """Return the dual potential of each candidate in the W2^2 problem onto the reference.

    Args:
        reference: Points (m, d) with masses; says whether its potentials are exact or entropic.
        candidates: Features, shape (N, d), masses 1/N.

    Returns:
        f, shape (N,), squared feature units, up to a constant.

    Raises:
        ValueError: If candidates do not fit.
        ArithmeticError: If the solver fails.
    """
    return reference.transport_potential(candidates)


@implements(TopPotential)
def rule(spec: TopPotential, candidates: Candidates, reference: Empirical, rng: Generator) -> Ints:
    """As the contract says; see ``top_potential``."""
    return top_potential(reference, candidates.features, candidates.count)


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
        ValueError: If n is not in 1..N or candidates do not fit.
        ArithmeticError: If the solver fails.

    Source:
        arXiv 2606.13732, score of Scheme II; LAVA (Just et al. 2023), eq. 4.
    """
    check_count(count, len(candidates))
    order = np.argsort(transport_potential(reference, candidates), kind="stable")
    return np.sort(order[:count])
