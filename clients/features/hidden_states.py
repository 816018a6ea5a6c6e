# SPDX-License-Identifier: Apache-2.0
"""Feature map ``hidden-states``: principal axes of what a language model makes of documents."""

import numpy as np

from tailweave.clients.encoders.language_model import BaseStates
from tailweave.clients.encoders.pretrained_text import PretrainedText
from tailweave.clients.features.pca import principal_axes
from tailweave.clients.generators.language_model import LanguageModel
from tailweave.clients.samples import Samples
from tailweave.protocols.encoders import Encoder
from tailweave.protocols.kinds.features.text import HiddenStates
from tailweave.protocols.kinds.implementing import implements

implements(HiddenStates)(principal_axes)


@implements(HiddenStates, part="encoder")
def encoder(spec: HiddenStates, samples: Samples, base: object, rng: np.random.Generator) -> Encoder:
    """Take the public base, or open a pretrained model.

    Raises:
        ValueError: If the base is no language model and none is named, or the named one cannot be had.
    """
    if spec.model is not None:
        return PretrainedText.download(spec.model)
    if not isinstance(base, LanguageModel):
        raise ValueError(
            "features of kind hidden-states without model are those of the public base, which must be of "
            "generator language-model"
        )
    return BaseStates.of(base)
