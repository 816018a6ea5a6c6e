# SPDX-License-Identifier: Apache-2.0
"""Frozen public maps that turn images or documents into codes: what a feature map may begin with."""

from collections.abc import Callable, Mapping

import numpy as np

from tailweave.clients.encoders.language_model import BaseStates
from tailweave.clients.encoders.pretrained import PretrainedEncoder
from tailweave.clients.encoders.pretrained_text import PretrainedText
from tailweave.clients.encoders.small_conv import SmallConv
from tailweave.clients.encoders.tf_idf import HashedTfIdf
from tailweave.protocols.arrays import Floats
from tailweave.protocols.encoders import Encoder
from tailweave.protocols.kinds.features.encoder import SMALL_CONV

Open = Callable[[Mapping[str, Floats]], Encoder]
_BY_PART: dict[str, Open] = {
    "model": PretrainedEncoder.from_arrays,
    "text-model": PretrainedText.from_arrays,
    "language-model": BaseStates.from_arrays,
    "rarity": HashedTfIdf.from_arrays,
}
"""By the array that only this encoder has; ``small-conv`` has none of them."""


def make_encoder(
    model: str, samples: Floats, image: tuple[int, int, int], *, rng: np.random.Generator
) -> Encoder:
    """Make the encoder that all silos will share.

    Args:
        model: ``small-conv``, trained here, or the folder or hub name of a pretrained vision model.
        samples: Public synthetic images, shape (n, p), data units.
        image: (channels, height, width), c h w = p.
        rng: Stream of the training.

    Returns:
        The encoder.

    Raises:
        ValueError: If the images do not fit, torch is missing, or the model cannot be loaded.
    """
    if model == SMALL_CONV:
        return SmallConv.train(samples, image, rng=rng)
    return PretrainedEncoder.download(model, image)


def open_encoder(arrays: Mapping[str, Floats]) -> Encoder:
    """Open an encoder that came over the wire.

    Args:
        arrays: Its ``arrays()``.

    Returns:
        The encoder.

    Raises:
        ValueError: If a part is missing or does not fit, or this node lacks the pretrained model or has
            another one under its name.
    """
    found: list[Open] = [opened for part, opened in _BY_PART.items() if part in arrays]
    return (found[0] if found else SmallConv.from_arrays)(arrays)


__all__ = ["PretrainedEncoder", "SmallConv", "make_encoder", "open_encoder"]
