# SPDX-License-Identifier: Apache-2.0
"""How encoders use torch: imported on use, one CPU thread, batches that fit in memory."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from clients.generators.diffusion.extra import neural
from protocols.arrays import Floats

if TYPE_CHECKING:
    import torch

ImageShape = tuple[int, int, int]


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Limit torch to one CPU thread within the context: sums over several depend on how many there are."""
    torch = neural("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def encoded(
    rows: Floats, image: ImageShape, batch: int, encode: "Callable[[torch.Tensor], torch.Tensor]", device: str
) -> Floats:
    """Run an encoder over images in batches, without gradients.

    Args:
        rows: Shape (n, p).
        image: (channels, height, width).
        batch: Images at a time.
        encode: Maps images (b, c, h, w), float32, to codes (b, e).
        device: Where ``encode`` wants its images.

    Returns:
        Codes, shape (n, e), float64 made of float32: exact to about 1e-6 of the largest.
    """
    torch = neural("torch")
    codes = []
    with one_torch_thread(), torch.inference_mode():
        for start in range(0, len(rows), batch):
            part = torch.from_numpy(rows[start : start + batch].astype(np.float32)).to(device)
            codes.append(encode(part.reshape(-1, *image)).cpu().double().numpy())
    joined: Floats = np.concatenate(codes)
    return joined


def image_of(arrays: Mapping[str, Floats], needed: tuple[str, ...]) -> ImageShape:
    """Read the image shape of an encoder's arrays.

    Raises:
        ValueError: If an array that is needed is missing, or ``image`` is no shape.
    """
    missing = [name for name in ("image", *needed) if name not in arrays]
    if missing:
        raise ValueError(f"an encoder lacks {', '.join(missing)}")
    image = arrays["image"]
    if image.shape != (3,) or not all(1 <= side <= 4096 and side == math.floor(side) for side in image):
        raise ValueError(f"an encoder's image must be three whole numbers in 1..4096, got {image.tolist()}")
    return int(image[0]), int(image[1]), int(image[2])
