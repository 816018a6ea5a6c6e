# SPDX-License-Identifier: Apache-2.0
"""Rule ``center-matching``: keep the candidates nearest the mean of the reference."""

import numpy as np

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import CenterMatching
from tailweave.protocols.references.empirical import Empirical


@implements(CenterMatching)
def rule(
    spec: CenterMatching, candidates: Candidates, reference: Empirical, rng: np.random.Generator
) -> Ints:
    """As the contract says; see ``center_matching``."""
    return center_matching(reference, candidates.features, candidates.count)


def center_matching(reference: Empirical, candidates: Floats, count: int) -> Ints:
    """Keep the n smallest |x - c|, with c the mean of the reference.

    Args:
        reference: Points (m, d) with masses.
        candidates: Features, shape (N, d).
        count: n <= N.

    Returns:
        Indices, ascending, shape (n,); ties go to the lower index.

    Raises:
        ValueError: If n is not in 1..N or candidates do not fit.

    Source:
        He et al. (2023), arXiv 2210.07574, as compared in arXiv 2606.13732.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    gap_sq = ((x - reference.masses @ reference.points) ** 2).sum(axis=1)
    return np.sort(np.argsort(gap_sq, kind="stable")[:count])
