# SPDX-License-Identifier: Apache-2.0
"""An image as PNG."""

import io

import numpy as np

from tailweave.protocols.arrays import Floats


def png(image: Floats) -> bytes:
    """Return an image (c, h, w) in [0, 1], of one channel or three, as PNG of 8 bits a channel."""
    from PIL import Image

    pixels = (255.0 * image).round().astype(np.uint8).transpose(1, 2, 0)  # (h, w, c)
    content = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return content.getvalue()
