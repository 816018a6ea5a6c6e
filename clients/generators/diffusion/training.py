# SPDX-License-Identifier: Apache-2.0
"""What a denoiser is trained to: the noise in rows at random levels, or what its base predicts instead."""

from typing import TYPE_CHECKING, Any

from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.levels import columns_of, cross_entropy, with_levels
from tailweave.clients.neural import epochs
from tailweave.clients.neural.epochs import Effort
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec

if TYPE_CHECKING:
    from torch import Generator, Tensor


def train(denoiser: Denoiser, rows: Floats, spec: DiffusionSpec, effort: Effort) -> None:
    """Train in place; the denoiser ends with the averaged weights.

    Args:
        denoiser: On the effort's place; its weights are where training starts.
        rows: Scaled rows, shape (n, p).
        spec: Options.
        effort: How long, where, beside what; its stream draws order, noise and levels.

    Raises:
        TrainingError: If the loss is not finite.

    Source:
        Ho, Jain & Abbeel (2020), algorithm 1; levels as ``levels.py`` says.
    """
    torch, scheduler = neural("torch"), denoiser.scheduler(clip=False)

    def loss(clean: "Tensor", source: "Generator") -> "Tensor":
        noise = torch.randn(clean.shape, generator=source)
        level = torch.randint(denoiser.steps, (len(clean),), generator=source)
        return _loss(denoiser, scheduler, *map(effort.place.put, (clean, noise, level)))

    epochs.train(denoiser.network, rows, spec, effort, loss)


def _loss(
    denoiser: Denoiser,
    scheduler: Any,  # noqa: ANN401 - diffusers has no types
    clean: "Tensor",
    noise: "Tensor",
    level: "Tensor",
) -> "Tensor":
    noisy = scheduler.add_noise(clean, noise, level)
    blocks = denoiser.blocks
    if blocks:
        noisy[:, columns_of(blocks)] = noise[:, columns_of(blocks)]
        kept = scheduler.alphas_cumprod.to(clean.device)[level]
        noisy = with_levels(noisy, clean, kept, blocks)
    kind = scheduler.config.prediction_type
    wanted = noise
    if kind == "sample":
        wanted = clean
    elif kind == "v_prediction":
        wanted = scheduler.get_velocity(clean, noise, level)
    said, mse = denoiser(noisy, level), neural("torch.nn.functional").mse_loss
    if not blocks:
        loss: Tensor = mse(said, wanted)
        return loss
    of_levels = cross_entropy(said, clean, blocks)
    numbers = denoiser.numbers
    return of_levels + mse(said[:, numbers], wanted[:, numbers]) if numbers else of_levels
