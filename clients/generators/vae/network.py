# SPDX-License-Identifier: Apache-2.0
"""The network of a variational autoencoder: convolutions that halve the image, and others that double it."""

from typing import TYPE_CHECKING, Any

from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ImageShape = tuple[int, int, int]
_MOST_LOG_VARIANCE = 10.0
"""Codes' log variances are held within this, either way: exp of one far outside is no number."""


def autoencoder(
    image: ImageShape, latent: int, channels: tuple[int, ...], device: str
) -> "torch.nn.ModuleDict":
    """Build the network, with torch's own first weights.

    Args:
        image: (channels, height, width).
        latent: z, numbers of a code.
        channels: Of each resolution.
        device: ``meta`` gives its shapes without memory.

    Returns:
        Its parts by name; ``encoded`` and ``decoded`` put them together.
    """
    nn = neural("torch.nn")
    wide = (image[0], *channels)
    pairs = list(zip(wide[:-1], wide[1:], strict=True))
    least = _sides(image, len(channels))[-1]
    flat = channels[-1] * least[0] * least[1]
    with neural("torch").device(device):
        network: torch.nn.ModuleDict = nn.ModuleDict(
            {
                "down": nn.ModuleList([nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs]),
                "code": nn.Linear(flat, 2 * latent),
                "inlet": nn.Linear(latent, flat),
                "up": nn.ModuleList(
                    [nn.ConvTranspose2d(b, a, 4, stride=2, padding=1) for a, b in reversed(pairs)]
                ),
            }
        )
    return network


def encoded(network: Any, images: "Tensor") -> "tuple[Tensor, Tensor]":  # noqa: ANN401 - a ModuleDict's parts have no type
    """Return mean and log variance of the codes of images (n, c, h, w) in [0, 1]; both (n, z)."""
    silu = neural("torch.nn.functional").silu
    state = 2.0 * images - 1.0
    for layer in network["down"]:
        state = silu(layer(state))
    mean, spread = network["code"](state.flatten(1)).float().chunk(2, dim=1)
    return mean, spread.clamp(-_MOST_LOG_VARIANCE, _MOST_LOG_VARIANCE)


def decoded(network: Any, codes: "Tensor", image: ImageShape) -> "Tensor":  # noqa: ANN401 - as above
    """Return the logits of each pixel's brightness, shape (n, c, h, w), for codes (n, z)."""
    silu = neural("torch.nn.functional").silu
    layers = network["up"]
    *larger, least = _sides(image, len(layers))
    state = network["inlet"](codes).reshape(len(codes), -1, *least)
    for layer, (height, width) in zip(layers, reversed(larger), strict=True):
        state = layer(silu(state))[..., :height, :width]  # a doubled side of an odd one has a line too many
    logits: Tensor = state.float()
    return logits


def _sides(image: ImageShape, halvings: int) -> list[tuple[int, int]]:
    """Return height and width at each resolution, the image's own first."""
    sides = [image[1:]]
    for _ in range(halvings):
        height, width = sides[-1]
        sides.append((-(-height // 2), -(-width // 2)))
    return sides
