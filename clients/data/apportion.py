# SPDX-License-Identifier: Apache-2.0
"""Whole numbers in given proportions, with the exact total."""

import numpy as np

from tailweave.protocols.arrays import Floats, Ints, probabilities


def apportion(total: int, weights: Floats) -> Ints:
    """Split ``total`` in proportion to ``weights`` by largest remainders; ties go to the first.

    Args:
        total: Number of things, at least 0.
        weights: Non-negative proportions, shape (m,), not all zero.

    Returns:
        Counts that sum to ``total``, shape (m,), each less than 1 away from its exact share.

    Raises:
        ValueError: If ``total`` is negative, or ``weights`` is not a measure.

    Source:
        Hare-Niemeyer (largest remainder) apportionment.
    """
    if total < 0:
        raise ValueError(f"total must be at least 0, got {total}")
    shares = total * probabilities(weights, "weights")
    counts = np.floor(shares).astype(np.int64)
    by_remainder = np.argsort(counts - shares, kind="stable")
    counts[by_remainder[: total - counts.sum()]] += 1
    return counts
