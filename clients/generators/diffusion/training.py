# SPDX-License-Identifier: Apache-2.0
"""Training a denoiser: noise prediction, AdamW, cosine learning rate, clipped gradients, averaged weights."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.levels import columns_of, cross_entropy, with_levels
from tailweave.clients.neural.descent import Pace, descend
from tailweave.clients.neural.device import Place, torch_stream
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.unfinished import (
    Tensors,
    Unfinished,
    optimizer_state,
    restore_optimizer,
)
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec

if TYPE_CHECKING:
    import torch

_YOUNG = 10.0
"""The average of n updates weighs its start like 10 of them, until the decay asked for is reached."""


@dataclass
class _Loop:
    """What changes while it trains."""

    denoiser: Denoiser
    scheduler: Any
    optimizer: Any
    average: list["torch.Tensor"]
    source: "torch.Generator"

    @property
    def weights(self) -> list["torch.Tensor"]:
        return list(self.denoiser.network.parameters())

    def state(self) -> Tensors:
        kept: Tensors = {"source": self.source.get_state()}
        kept |= {f"weights/{i}": tensor for i, tensor in enumerate(self.weights)}
        kept |= {f"average/{i}": tensor for i, tensor in enumerate(self.average)}
        return kept | optimizer_state(self.optimizer)

    def restore(self, state: Tensors) -> None:
        self.source.set_state(state["source"])
        with neural("torch").no_grad():
            for name, tensors in (("weights", self.weights), ("average", self.average)):
                for i, tensor in enumerate(tensors):
                    tensor.copy_(state[f"{name}/{i}"])
        restore_optimizer(self.optimizer, state)


def train(
    denoiser: Denoiser,
    rows: Floats,
    spec: DiffusionSpec,
    epochs: int,
    place: Place,
    course: tuple[Course, np.random.Generator],
) -> None:
    """Train in place; the denoiser ends with the averaged weights.

    Args:
        denoiser: On ``place``; its weights are where training starts.
        rows: Scaled rows, shape (n, p).
        spec: Options.
        epochs: Passes over the rows.
        place: Device and precision.
        course: Whom to tell and where to keep an unfinished state; and the stream of order, noise and levels.

    Raises:
        TrainingError: If the loss is not finite.

    Source:
        Ho, Jain & Abbeel (2020), algorithm 1; levels as ``levels.py`` says.
    """
    torch = neural("torch")
    beside, rng = course
    loop = _Loop(denoiser, denoiser.scheduler(clip=False), *_tools(denoiser, spec), torch_stream(rng))
    first = b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in loop.weights)
    options = f"{spec.model_dump_json()} {epochs} {place.device}".encode()
    keeper = Unfinished.of(beside, rows.tobytes(), first, options, loop.source.get_state().numpy().tobytes())
    data = torch.from_numpy(rows.astype(np.float32))
    done, state = keeper.take_up()
    if state:
        loop.restore(state)
    steps = math.ceil(len(rows) / spec.batch_size)
    pace = Pace(spec.learning_rate, spec.learning_schedule, epochs * steps, beside, done * steps)
    denoiser.network.train()
    for epoch in range(done, epochs):
        _epoch(loop, data, spec, pace, place)
        keeper.keep(epoch + 1, loop.state())
    with torch.no_grad():
        for weight, averaged in zip(loop.weights, loop.average, strict=True):
            weight.copy_(averaged)
    denoiser.network.eval()
    keeper.done()


def _tools(denoiser: Denoiser, spec: DiffusionSpec) -> tuple[Any, list["torch.Tensor"]]:
    weights = list(denoiser.network.parameters())
    optimizer = neural("torch").optim.AdamW(weights, lr=spec.learning_rate, weight_decay=spec.weight_decay)
    return optimizer, [weight.detach().clone() for weight in weights]


def _epoch(loop: _Loop, data: "torch.Tensor", spec: DiffusionSpec, pace: Pace, place: Place) -> None:
    torch = neural("torch")
    with place.at_work():
        for chosen in torch.randperm(len(data), generator=loop.source).split(spec.batch_size):
            clean = data[chosen]
            noise = torch.randn(clean.shape, generator=loop.source)
            level = torch.randint(loop.denoiser.steps, (len(clean),), generator=loop.source)
            batch = tuple(part.to(place.device) for part in (clean, noise, level))
            loss = _loss(loop.denoiser, loop.scheduler, *batch)
            descend(loss, loop.weights, loop.optimizer, pace, clip=spec.gradient_clip)
            _average(loop, spec.ema_decay, pace.done)
            pace.step()


def _loss(
    denoiser: Denoiser,
    scheduler: Any,  # noqa: ANN401 - diffusers has no types
    clean: "torch.Tensor",
    noise: "torch.Tensor",
    level: "torch.Tensor",
) -> "torch.Tensor":
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
        loss: torch.Tensor = mse(said, wanted)
        return loss
    of_levels = cross_entropy(said, clean, blocks)
    numbers = denoiser.numbers
    return of_levels + mse(said[:, numbers], wanted[:, numbers]) if numbers else of_levels


def _average(loop: _Loop, decay: float, done: int) -> None:
    """Move the average towards the weights: less and less, until the decay asked for is reached."""
    torch = neural("torch")
    with torch.no_grad():
        torch._foreach_lerp_(loop.average, loop.weights, 1.0 - min(decay, (1.0 + done) / (_YOUNG + done)))
