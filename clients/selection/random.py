# SPDX-License-Identifier: Apache-2.0
"""Rule ``random``: no selection."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.plain import Random


@implements(Random)
def rule(spec: Random, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """As the contract says; see ``random``."""
    return random(len(candidates), candidates.count, rng=rng)


def random(candidates: int, count: int, *, rng: Generator) -> Ints:
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
