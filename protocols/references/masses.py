# SPDX-License-Identifier: Apache-2.0
"""The mass of each silo in a woven reference: its rows, unless the server weighs it otherwise."""

from collections.abc import Sequence

import numpy as np

from tailweave.protocols.arrays import Floats, probabilities


def silo_masses(rows: Sequence[float], weights: Floats | None) -> Floats:
    """Return the masses by which silos are woven: their rows (K,), or weights (K,) in any unit, 0 for out.

    Returns:
        Shape (K,), not scaled: weights that equal the rows give the same reference to the last bit.

    Raises:
        ValueError: If weights are not one a silo, finite, non-negative and not all zero.
    """
    masses = np.array(rows) if weights is None else weights
    if masses.shape != (len(rows),):
        raise ValueError(f"weights must have shape ({len(rows)},), got {masses.shape}")
    probabilities(masses, "weights")
    return masses
