# SPDX-License-Identifier: Apache-2.0
"""Feature maps of images through a network."""

import numpy as np

from tailweave.clients.encoders import make_encoder
from tailweave.clients.features.pca import principal_axes
from tailweave.clients.samples import Samples
from tailweave.protocols.encoders import Encoder
from tailweave.protocols.kinds.features.encoder import EncoderFeatures
from tailweave.protocols.kinds.implementing import implements

implements(EncoderFeatures)(principal_axes)


@implements(EncoderFeatures, part="encoder")
def encoder(spec: EncoderFeatures, samples: Samples, base: object, rng: np.random.Generator) -> Encoder:
    """Train the small network on public samples, or open a pretrained one.

    Raises:
        ValueError: If samples are no images, or the model cannot be had.
    """
    if samples.image is None:
        raise ValueError("features of kind encoder need images: data has no image shape (data.image)")
    return make_encoder(spec.model, samples.values, samples.image, rng=rng)
