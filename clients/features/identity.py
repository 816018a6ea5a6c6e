# SPDX-License-Identifier: Apache-2.0
"""Feature map ``identity``."""

import numpy as np

from tailweave.clients.features import Affine
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.features.plain import Identity
from tailweave.protocols.kinds.implementing import implements


@implements(Identity)
def identity(spec: Identity, samples: Floats, state: int) -> Affine:
    """Return the map that changes nothing."""
    columns = samples.shape[1]
    return np.zeros(columns), np.eye(columns)
