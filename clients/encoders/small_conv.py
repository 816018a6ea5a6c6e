# SPDX-License-Identifier: Apache-2.0
"""Encoder ``small-conv``: a few convolutions, trained to take noise off public synthetic images."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from tailweave.clients.encoders.torch_use import (
    FLOAT32_BOUND,
    ImageShape,
    encoded,
    encoded_alike,
    image_of,
    one_torch_thread,
)
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.features import LARGEST
from tailweave.protocols.sorts import SortName

if TYPE_CHECKING:
    import torch

CODES = 64
"""e, the length of a code."""
CHANNELS = (16, 32, 64, 64, 64, 64, 64, 64, 64, 64, 64)
"""Channels after each convolution; as many are used as it takes to come down to a side of 4."""
STEPS, BATCH, RATE, NOISE = 400, 128, 2e-3, 0.5
"""Training: steps of Adam, images each, learning rate, noise in standard deviations of the pixels."""
_TOGETHER = 64
"""Images encoded at once: what fits into a processor's cache, nine times as fast as a thousand."""


@dataclass(frozen=True, eq=False)
class SmallConv:
    """A convolutional encoder; its weights are public and travel with the feature map.

    The first convolution keeps the size, each further one halves it until a side is at most 4; SiLU between,
    a linear layer at the end. It is the front half of a denoising autoencoder whose back half is one linear
    layer, so codes that are alike belong to images that are alike once noise is gone.

    Attributes:
        image: (channels, height, width).
        weights: ``scale`` (2,), mean and deviation of public pixels; ``conv-I/weight`` (o, i, 3, 3) and
            ``conv-I/bias`` (o,); ``code/weight`` (e, f) and ``code/bias`` (e,).
    """

    sort: ClassVar[SortName] = "image"
    image: ImageShape
    weights: Mapping[str, Floats]

    @classmethod
    def train(cls, samples: Floats, image: ImageShape, *, rng: np.random.Generator) -> Self:
        """Train on public images, on one CPU thread: the same stream gives the same bytes.

        Args:
            samples: Public synthetic images, shape (n, p).
            image: (channels, height, width), c h w = p.
            rng: Stream of the first weights, the batches and the noise.

        Returns:
            The encoder. About 2 s for 8 x 8 pixels, 20 s for 3 x 32 x 32.

        Raises:
            ValueError: If rows do not fit the image or have no spread, or torch is not installed.
        """
        rows = matrix(samples, "public images", columns=math.prod(image))
        if rows.min() == rows.max():
            raise ValueError("public images must not all be of one colour: there is nothing to learn")
        torch = neural("torch")
        start = {name: part.astype(np.float32) for name, part in _first_weights(image, rng).items()}
        parameters = {name: torch.from_numpy(part).requires_grad_() for name, part in start.items()}
        scale = np.array([rows.mean(), rows.std()])
        with one_torch_thread():
            _descend(parameters, ((rows - scale[0]) / scale[1]).reshape(-1, *image), rng)
        kept = {name: part.detach().double().numpy() for name, part in parameters.items()}
        return cls(
            image, {"scale": scale} | {n: part for n, part in kept.items() if not n.startswith("back/")}
        )

    def __call__(self, rows: Floats) -> Floats:
        """Encode images (n, p) as codes (n, 64); raises ``ValueError`` if torch is not installed."""
        return encoded(self._standard(rows), self.image, _TOGETHER, self._encode(), "cpu")

    def alike(self, rows: Floats) -> Floats:
        """Encode images one by one; as a call, but the same bits for the same image."""
        return encoded_alike(self._standard(rows), self.image, self._encode(), "cpu")

    def _standard(self, rows: Floats) -> Floats:
        mean, deviation = self.weights["scale"]
        standard: Floats = (rows - mean) / deviation
        return standard

    def _encode(self) -> "Callable[[torch.Tensor], torch.Tensor]":
        torch = neural("torch")
        named = {name: part for name, part in self.weights.items() if name != "scale"}
        weights = {name: torch.from_numpy(part.astype(np.float32)) for name, part in named.items()}
        return lambda x: _codes(weights, x)

    @property
    def columns(self) -> int:
        """p, the number of data columns."""
        return math.prod(self.image)

    def arrays(self) -> dict[str, Floats]:
        """Return image shape and weights by name."""
        return {"image": np.array(self.image, dtype=np.float64), **self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Rebuild an encoder from ``arrays()``.

        Raises:
            ValueError: If parts are missing, too many, of another shape, or so large that codes of ordinary
                images could be no numbers.
        """
        image = image_of(arrays, ("scale",))
        shapes = {"scale": (2,)} | {n: s for n, s in _shapes(image).items() if not n.startswith("back/")}
        found = {name: part.shape for name, part in arrays.items() if name != "image"}
        if found != shapes:
            odd = sorted(n for n in shapes.keys() | found.keys() if shapes.get(n) != found.get(n))[0]
            raise ValueError(
                f"small-conv array {odd} must have shape {shapes.get(odd, 'none')}, "
                f"got {found.get(odd, 'none')}"
            )
        if not arrays["scale"][1] > 0.0:
            raise ValueError(f"small-conv scale must have a positive deviation, got {arrays['scale'][1]}")
        weights = {name: part for name, part in arrays.items() if name != "image"}
        _check_sizes(weights)
        return cls(image, weights)


def _check_sizes(weights: Mapping[str, Floats]) -> None:
    """Refuse weights that float32 cannot hold, and a deviation that cannot be divided by."""
    if not weights["scale"][1] >= 1.0 / LARGEST:
        raise ValueError(
            f"small-conv deviation must be at least {1 / LARGEST:g}, got {weights['scale'][1]:g}"
        )
    for name, part in weights.items():
        bound = LARGEST if name == "scale" else FLOAT32_BOUND
        if not (np.abs(part) <= bound).all():
            raise ValueError(
                f"small-conv array {name} must be at most {bound:g} in size, got {np.abs(part).max():g}"
            )


def _shapes(image: ImageShape) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter, the back half's (``back/``) too."""
    before, height, width = image
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, after in enumerate(CHANNELS):
        if layer > 1 and min(height, width) <= 4:
            break
        shapes |= {f"conv-{layer}/weight": (after, before, 3, 3), f"conv-{layer}/bias": (after,)}
        before = after
        if layer > 0:
            height, width = -(-height // 2), -(-width // 2)
    return shapes | {
        "code/weight": (CODES, before * height * width),
        "code/bias": (CODES,),
        "back/weight": (math.prod(image), CODES),
        "back/bias": (math.prod(image),),
    }


def _first_weights(image: ImageShape, rng: np.random.Generator) -> dict[str, Floats]:
    """Draw weights with variance 2 / inputs (He et al. 2015); biases are zero."""
    return {
        name: rng.normal(size=shape) * np.sqrt(2.0 / math.prod(shape[1:]))
        if name.endswith("weight")
        else np.zeros(shape)
        for name, shape in _shapes(image).items()
    }


def _codes(weights: "Mapping[str, torch.Tensor]", x: "torch.Tensor") -> "torch.Tensor":
    functional = neural("torch.nn.functional")
    layer = 0
    while f"conv-{layer}/weight" in weights:
        kernel, bias = weights[f"conv-{layer}/weight"], weights[f"conv-{layer}/bias"]
        x = functional.silu(functional.conv2d(x, kernel, bias, stride=min(layer, 1) + 1, padding=1))
        layer += 1
    codes: torch.Tensor = x.flatten(1) @ weights["code/weight"].T + weights["code/bias"]
    return codes


def _descend(parameters: "Mapping[str, torch.Tensor]", images: Floats, rng: np.random.Generator) -> None:
    """Minimise the squared error of clean images from noisy ones, in place."""
    torch = neural("torch")
    optimizer = torch.optim.Adam(list(parameters.values()), lr=RATE)
    for _ in range(STEPS):
        clean = images[rng.integers(len(images), size=BATCH)]
        noisy = clean + NOISE * rng.normal(size=clean.shape)
        codes = _codes(parameters, torch.from_numpy(noisy.astype(np.float32)))
        back = codes @ parameters["back/weight"].T + parameters["back/bias"]
        loss = ((back - torch.from_numpy(clean.astype(np.float32)).flatten(1)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
