# SPDX-License-Identifier: Apache-2.0
"""Rule ``center-sampling``: draw candidates in proportion to their cosine with the reference's mean."""

import numpy as np

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import CenterSampling
from tailweave.protocols.references.empirical import Empirical

_FLOOR = 1e-8
"""Weight of a candidate that points away from the mean."""
_ROUNDING = 1e-12
"""A mean shorter than this share of the longest point is 0 that was rounded."""


@implements(CenterSampling)
def rule(
    spec: CenterSampling, candidates: Candidates, reference: Empirical, rng: np.random.Generator
) -> Ints:
    """As the contract says; see ``center_sampling``."""
    return center_sampling(reference, candidates.features, candidates.count, rng=rng)


def center_sampling(
    reference: Empirical, candidates: Floats, count: int, *, rng: np.random.Generator
) -> Ints:
    """Draw n candidates one after another without replacement, p proportional to max(cos(x, c), 1e-8).

    The cosine is taken at the origin of the feature space, so the rule depends on where that lies.

    Args:
        reference: Points (m, d) with masses; c is their mean.
        candidates: Features, shape (N, d); one at the origin has cosine 0.
        count: n <= N.
        rng: Stream of the draw.

    Returns:
        Indices, ascending, shape (n,).

    Raises:
        ValueError: If n is not in 1..N, candidates do not fit, or c is the origin and has no direction.

    Source:
        Lin et al. (2023), as compared in arXiv 2606.13732.
    """
    x = matrix(candidates, "candidates", columns=reference.dimension)
    check_count(count, len(x))
    weights = cosine_weights(reference, x)
    return np.sort(rng.choice(len(x), size=count, replace=False, p=weights / weights.sum()))


def cosine_weights(reference: Empirical, x: Floats) -> Floats:
    """Return max(cos(x, c), 1e-8) for candidates x (N, d), shape (N,).

    Raises:
        ValueError: If c is the origin, to 1e-12 of its longest point.
    """
    center = reference.masses @ reference.points
    length = float(np.linalg.norm(center))
    if length <= _ROUNDING * float(np.linalg.norm(reference.points, axis=1).max()):
        raise ValueError("rule center-sampling needs a reference whose mean is not the origin, got mean 0")
    lengths = np.linalg.norm(x, axis=1)
    cosines = (x @ center) / (np.where(lengths > 0.0, lengths, 1.0) * length)
    floored: Floats = np.maximum(cosines, _FLOOR)
    return floored
