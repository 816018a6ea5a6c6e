# SPDX-License-Identifier: Apache-2.0
"""Feature map ``random-projection``."""

import numpy as np
from sklearn.random_projection import GaussianRandomProjection

from tailweave.clients.features import Affine
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.features.projections import RandomProjection
from tailweave.protocols.kinds.implementing import implements


@implements(RandomProjection)
def random_projection(spec: RandomProjection, samples: Floats, state: int) -> Affine:
    """Return a projection whose entries are drawn from a Gaussian."""
    projection = GaussianRandomProjection(spec.dimensions, random_state=state).fit(samples)
    return samples.mean(axis=0), np.ascontiguousarray(projection.components_.T)
