# SPDX-License-Identifier: Apache-2.0
"""Feature map ``standard``."""

import numpy as np

from tailweave.clients.features import Affine
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.features.plain import Standard
from tailweave.protocols.kinds.implementing import implements


@implements(Standard)
def standard(spec: Standard, samples: Floats, state: int) -> Affine:
    """Return the map to mean 0 and variance 1; a column of equal numbers becomes 0."""
    constant = samples.min(axis=0) == samples.max(axis=0)  # the deviation of equal numbers may miss 0
    spread = np.where(constant, 1.0, samples.std(axis=0))
    return np.where(constant, samples[0], samples.mean(axis=0)), np.diag(1.0 / spread)
