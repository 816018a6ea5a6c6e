# SPDX-License-Identifier: Apache-2.0
"""Noise as it was really sent: a simulation knows the rows, so it subtracts them from a recorded sketch."""

from collections.abc import Sequence

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references.sliced import SlicedSummary, summarise

_ERRORS = 6.0
"""Standard errors allowed; a false alarm has probability 1e-9 a sketch or pair of sketches."""


def wire_noise(summary: SlicedSummary, rows: Floats, spec: SlicedReference, space: PublicSpace) -> Floats:
    """Return what was added to the sketch of rows (n, d): shape (numbers,), in the unit of the sums."""
    return (summary.sums - summarise(rows, spec, space).sums).ravel()


def large_enough(noise: Floats, claimed_sd: float) -> bool:
    """Say whether noise (m,) is as large as claimed.

    The mean square of m Gaussian draws over their variance is 1 with standard error sqrt(2/m). Capping rows
    only makes what was added look larger.
    """
    ratio = float((noise**2).mean()) / claimed_sd**2
    return bool(ratio > 1.0 - _ERRORS * np.sqrt(2.0 / noise.size))


def independent(noises: Sequence[Floats]) -> bool:
    """Say whether no two of several noises, each (m,), are alike: shared noise cancels in a difference.

    The correlation of independent draws is 0 with standard error 1/sqrt(m); no noise resembles none.
    """
    if not noises:
        return True
    table = np.stack(noises)
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-300)
    alike = np.abs(np.triu(unit @ unit.T, 1)).max()
    return bool(alike < _ERRORS / np.sqrt(table.shape[1]))
