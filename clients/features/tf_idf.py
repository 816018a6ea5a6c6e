# SPDX-License-Identifier: Apache-2.0
"""Feature map ``tf-idf``: singular vectors of weighed words."""

import numpy as np

from tailweave.clients.encoders.tf_idf import HashedTfIdf
from tailweave.clients.features import Affine
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.encoders import Encoder
from tailweave.protocols.kinds.features.text import TfIdf
from tailweave.protocols.kinds.implementing import implements


@implements(TfIdf, part="encoder")
def encoder(spec: TfIdf, samples: Samples, base: object, rng: np.random.Generator) -> Encoder:
    """Count words in public samples."""
    return HashedTfIdf.fitted(samples.values, spec.columns)


@implements(TfIdf)
def singular_vectors(spec: TfIdf, samples: Floats, state: int) -> Affine:
    """Return the map onto the right singular vectors of most weight.

    Raises:
        ValueError: If there are fewer documents than dimensions, and so no such vectors.

    Source:
        Deerwester et al. (1990), Journal of the American Society for Information Science 41:391-407.
    """
    if spec.dimensions > len(samples):
        raise ValueError(
            f"features.dimensions must be at most the {len(samples)} public samples, got {spec.dimensions}"
        )
    _, _, axes = np.linalg.svd(samples, full_matrices=False)
    return np.zeros(samples.shape[1]), np.ascontiguousarray(axes[: spec.dimensions].T)
