# SPDX-License-Identifier: Apache-2.0
"""The made-up table that is attacked at the doors, and what counts as a row of it that was found."""

from collections.abc import Sequence

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.recovered import Recovery, recovered, ruler

COLUMNS = 3
REACH = 16.0
"""All values are smaller in magnitude."""
FAR = 12.0
"""A value that no drawn row comes near."""
_DECOYS = 1000


def public_row(rng: np.random.Generator) -> Floats:
    """Draw a row (3,) of the law that silo and attacker share: two modes."""
    drawn: Floats = rng.normal(rng.choice([-2.0, 2.0]), 1.0, COLUMNS)
    return drawn


def table(rng: np.random.Generator, rows: int) -> Floats:
    """Draw a table (n, 3)."""
    return np.stack([public_row(rng) for _ in range(rows)])


def counted(found: Sequence[Floats], rows: Floats) -> Recovery:
    """Count rows (n, 3) that an attack found; who has read nothing guesses the centre of what is public."""
    decoys = table(stream(0, "audit", "doors", "decoys"), _DECOYS)
    guesses = np.array(found) if len(found) else decoys.mean(axis=0, keepdims=True)
    return recovered(guesses, rows, ruler(rows, decoys, float(decoys.std())))
