# SPDX-License-Identifier: Apache-2.0
"""Rule ``random``: no selection."""

import numpy as np

from tailweave.protocols.arrays import Ints


def random(candidates: int, count: int, *, rng: np.random.Generator) -> Ints:
    """Pick uniformly without replacement.

    Args:
        candidates: N.
        count: n <= N.
        rng: Stream of the pick.

    Returns:
        Indices, ascending, shape (n,).

    Raises:
        ValueError: If n is not in 1..N.
    """
    if not 1 <= count <= candidates:
        raise ValueError(f"count must be in 1..{candidates} (the candidates), got {count}")
    return np.sort(rng.choice(candidates, size=count, replace=False))
