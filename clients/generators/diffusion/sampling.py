# SPDX-License-Identifier: Apache-2.0
"""Drawing from a denoiser by DDIM, in batches."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.levels import columns_of, earlier_levels, with_levels
from tailweave.clients.neural.device import Place, torch_stream
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How to draw.

    Attributes:
        steps: DDIM steps.
        batch: Rows at a time.
        clip: Whether rows live in [-1, 1].
        place: Device and precision.
    """

    steps: int
    batch: int
    clip: bool
    place: Place


def draw(denoiser: Denoiser, count: int, how: Sampling, *, rng: np.random.Generator) -> Floats:
    """Draw scaled rows by deterministic DDIM (eta = 0) from Gaussian noise; levels as ``levels.py`` says.

    Args:
        denoiser: On ``how.place``.
        count: n.
        how: Steps, batch and place.
        rng: Stream of the first noise.

    Returns:
        Shape (n, p), scaled units.

    Source:
        Song, Meng & Ermon (2021), Denoising Diffusion Implicit Models, eq. 12 with sigma = 0.
    """
    torch = neural("torch")
    source = torch_stream(rng)
    scheduler = denoiser.scheduler(clip=how.clip)
    scheduler.set_timesteps(min(how.steps, denoiser.steps))
    columns = denoiser.architecture.columns
    wide = columns + len(scheduler.timesteps) * len(denoiser.blocks)  # a row's own, whatever the batches
    parts = []
    with torch.inference_mode(), how.place.at_work():
        for start in range(0, count, how.batch):
            size = min(how.batch, count - start)
            noise = how.place.put(torch.randn(size, wide, generator=source))
            rows = _backward(denoiser, scheduler, noise[:, :columns], noise[:, columns:])
            parts.append(rows.cpu().numpy())
    drawn: Floats = np.concatenate(parts).astype(np.float64)
    return drawn


def _backward(
    denoiser: Denoiser,
    scheduler: Any,  # noqa: ANN401 - diffusers has no types
    rows: "Tensor",
    noise: "Tensor",
) -> "Tensor":
    """Take pure noise (n, p) back to scaled rows; levels with noise (n, steps b), b blocks a step."""
    torch, blocks, steps = neural("torch"), denoiser.blocks, scheduler.timesteps.tolist()
    signal = [float(scheduler.alphas_cumprod[level]) for level in steps] + [1.0]
    levels, parts = columns_of(blocks), noise.chunk(len(steps), dim=1)
    if blocks:
        rows = with_levels(rows, rows, rows.new_zeros(len(rows)), blocks)
    for turn, level in enumerate(steps):
        said = denoiser(rows, torch.full((len(rows),), level, device=rows.device))
        stepped = scheduler.step(said, level, rows).prev_sample
        if blocks:
            drawn = earlier_levels(rows, said, (signal[turn], signal[turn + 1]), parts[turn], blocks)
            stepped[:, levels] = drawn[:, levels]
        rows = stepped
    return rows
