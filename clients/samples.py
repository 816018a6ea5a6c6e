# SPDX-License-Identifier: Apache-2.0
"""A few generated rows, each with the training row nearest to it: what memorisation looks like."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

from tailweave.protocols.arrays import Floats

SHOWN = 8
"""Samples that are kept of each generation."""


def beside_nearest(
    space: Callable[[Floats], Floats], generated: Floats, rows: Floats, training: Floats
) -> dict[str, Floats]:
    """Take the first generated rows and find the training row nearest to each.

    The result holds real rows where the training rows are real: it must not leave the silo.

    Args:
        space: Map into the space in which distances are measured, (n, p) to (n, d).
        generated: Fresh samples, shape (m, p), in random order.
        rows: Training rows of the same generation, shape (n, p).
        training: The same in that space, shape (n, d).

    Returns:
        ``generated`` and ``nearest``, each (k, p) with k = min(8, m), and ``distance`` (k,), units of the
        space. Of training rows equally near the first is taken.
    """
    shown = generated[:SHOWN]
    distances = cdist(space(shown), training)  # (k, n)
    nearest = distances.argmin(axis=1)
    return {
        "generated": shown,
        "nearest": rows[nearest],
        "distance": distances[np.arange(len(shown)), nearest],
    }
