# SPDX-License-Identifier: Apache-2.0
"""How encoders use torch: imported on use, one CPU thread, batches that fit in memory."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats

if TYPE_CHECKING:
    import torch

ImageShape = tuple[int, int, int]
FLOAT32_BOUND = 1e30
"""Bound on pixels and weights, far inside float32."""


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
            part = torch.from_numpy(_pixels(rows[start : start + batch])).to(device)
            codes.append(encode(part.reshape(-1, *image)).cpu().double().numpy())
    joined: Floats = np.concatenate(codes)
    return joined


def encoded_alike(
    rows: Floats, image: ImageShape, encode: "Callable[[torch.Tensor], torch.Tensor]", device: str
) -> Floats:
    """Run an encoder over images one by one, so that each is encoded alike whatever stands beside it.

    In a batch the kernels round images at its edge otherwise. Here every image is a batch of its own, always
    of one shape and in the same memory, since kernels may also choose by alignment.

    Args:
        rows: Shape (n, p).
        image: (channels, height, width).
        encode: Maps images (1, c, h, w), float32, to codes (1, e).
        device: Where ``encode`` wants its images.

    Returns:
        Codes, shape (n, e), as of ``encoded``; the same bits for the same image on the same machine (shown on
        processors; on a GPU cuDNN is told to be deterministic).
    """
    torch = neural("torch")
    codes = []
    fixed = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with one_torch_thread(), torch.inference_mode(), fixed:
        held = torch.empty((1, *image), dtype=torch.float32, device=device)
        for row in _pixels(rows):
            held.copy_(torch.from_numpy(row).reshape(held.shape))
            codes.append(encode(held).cpu().double().numpy())
    joined: Floats = np.concatenate(codes)
    return joined


def _pixels(rows: Floats) -> NDArray[np.float32]:
    """Return rows as float32, the absurd ones among them bounded so that none becomes infinite."""
    return np.clip(rows, -FLOAT32_BOUND, FLOAT32_BOUND).astype(np.float32)


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
