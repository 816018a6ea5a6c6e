# SPDX-License-Identifier: Apache-2.0
"""Frozen public networks that turn images into codes: what a feature map may begin with."""

from collections.abc import Mapping

import numpy as np

from tailweave.clients.encoders.pretrained import PretrainedEncoder
from tailweave.clients.encoders.small_conv import SmallConv
from tailweave.protocols.arrays import Floats
from tailweave.protocols.encoders import Encoder
from tailweave.protocols.kinds.features.encoder import SMALL_CONV


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
    kind = PretrainedEncoder if "model" in arrays else SmallConv
    return kind.from_arrays(arrays)


__all__ = ["PretrainedEncoder", "SmallConv", "make_encoder", "open_encoder"]
