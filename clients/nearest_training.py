# SPDX-License-Identifier: Apache-2.0
"""A few generated rows, each with the training row nearest to it: what memorisation looks like."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.distance import cdist

from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats

SHOWN = 8
"""Samples that are kept of each generation."""


def beside_nearest(
    space: Callable[[Samples], Floats], generated: Samples, training: Samples
) -> dict[str, Floats]:
    """Take the first generated rows and find the training row nearest to each.

    The result holds real rows where the training rows are real: it must not leave the silo.

    Args:
        space: Map into the space in which distances are measured, n samples to (n, d).
        generated: Fresh samples, m of them, in random order.
        training: Training samples of the same generation.

    Returns:
        ``generated`` and ``nearest``, each (k, p) with k = min(8, m), and ``distance`` (k,), units of the
        space. Of training rows equally near the first is taken.
    """
    shown = generated.take(np.arange(min(SHOWN, len(generated))))
    distances = cdist(space(shown), space(training))  # (k, n)
    nearest = distances.argmin(axis=1)
    return {
        "generated": shown.values,
        "nearest": training.values[nearest],
        "distance": distances[np.arange(len(shown)), nearest],
    }
