# SPDX-License-Identifier: Apache-2.0
"""Feature maps onto principal axes."""

import numpy as np
from sklearn.decomposition import PCA

from tailweave.clients.features import Affine
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.features.encoder import EncoderFeatures
from tailweave.protocols.kinds.features.projections import Pca
from tailweave.protocols.kinds.features.text import HiddenStates
from tailweave.protocols.kinds.implementing import implements

Reducing = Pca | EncoderFeatures | HiddenStates


@implements(Pca)
def principal_axes(spec: Reducing, samples: Floats, state: int) -> Affine:
    """Return the map onto the axes of most variance."""
    fitted = PCA(spec.dimensions, svd_solver="full").fit(samples)
    return fitted.mean_, np.ascontiguousarray(fitted.components_.T)
