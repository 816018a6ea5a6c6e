# SPDX-License-Identifier: Apache-2.0
"""Drawing from a denoiser by DDIM, in batches."""

from dataclasses import dataclass

import numpy as np

from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.neural.device import Place, torch_stream
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats


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
    """Draw scaled rows by deterministic DDIM (eta = 0) from Gaussian noise.

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
    parts = []
    with torch.inference_mode(), how.place.at_work():
        for start in range(0, count, how.batch):
            size = min(how.batch, count - start)
            rows = how.place.put(torch.randn(size, columns, generator=source))
            for level in scheduler.timesteps.tolist():
                levels = torch.full((size,), level, device=how.place.device)
                rows = scheduler.step(denoiser(rows, levels), level, rows).prev_sample
            parts.append(rows.cpu().numpy())
    drawn: Floats = np.concatenate(parts).astype(np.float64)
    return drawn
