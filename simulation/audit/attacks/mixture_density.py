# SPDX-License-Identifier: Apache-2.0
"""Attack ``mixture density``: rows of the silo lie where its clusters are, more than rows of others do."""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from tailweave.protocols.arrays import Floats
from tailweave.protocols.references.quantized import QuantizedSummary


def calibrated_density(
    x: Floats, released: QuantizedSummary, shadows: Sequence[QuantizedSummary], floor: float
) -> Floats:
    """Score candidates by log density, relative to what summaries of other silos give the same row.

    Args:
        x: Candidates, shape (c, d), feature units.
        released: The summary under attack.
        shadows: Summaries that the attacker made of rows of its own; at least 2.
        floor: Smallest variance of a cluster, squared feature units, positive.

    Returns:
        Shape (c,), in standard deviations over shadows; higher means "member".

    Raises:
        ValueError: If there are fewer than 2 shadows.

    Source:
        Offline likelihood-ratio attack: Carlini et al. (2022), arXiv 2112.03570, section V.
    """
    if len(shadows) < 2:
        raise ValueError(f"shadows must hold 2 summaries or more, got {len(shadows)}")
    usual = np.stack([log_density(x, shadow, floor) for shadow in shadows])
    spread = usual.std(axis=0, ddof=1)
    found: Floats = (log_density(x, released, floor) - usual.mean(axis=0)) / np.maximum(spread, 1e-9)
    return found


def log_density(x: Floats, summary: QuantizedSummary, floor: float) -> Floats:
    """Return the log density of x (c, d) under the mixture of diagonal Gaussians: shape (c,)."""
    variances = np.maximum(summary.variances, floor)  # (k, d)
    inverse = 1.0 / variances
    gap_sq = x**2 @ inverse.T - 2.0 * x @ (summary.centroids * inverse).T
    gap_sq += (summary.centroids**2 * inverse).sum(axis=1)  # (c, k)
    heights = np.log(summary.counts / summary.counts.sum()) - 0.5 * np.log(2 * np.pi * variances).sum(axis=1)
    density: Floats = logsumexp(heights - 0.5 * gap_sq, axis=1)
    return density
