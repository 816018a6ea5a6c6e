# SPDX-License-Identifier: Apache-2.0
"""Training a denoiser: noise prediction, AdamW, cosine learning rate, clipped gradients, averaged weights."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.diffusion.denoiser import Denoiser
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


class TrainingError(ValueError):
    """A training that went astray; the message names step and loss and what may help."""


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
        Ho, Jain & Abbeel (2020), algorithm 1.
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
    pace = _Pace(spec, epochs * math.ceil(len(rows) / spec.batch_size), beside)
    pace.done = done * math.ceil(len(rows) / spec.batch_size)
    denoiser.network.train()
    for epoch in range(done, epochs):
        _epoch(loop, data, pace, place)
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


@dataclass
class _Pace:
    """How far the training is, and the rates that follow from it."""

    spec: DiffusionSpec
    total: int
    course: Course
    done: int = 0

    @property
    def learning_rate(self) -> float:
        if self.spec.learning_schedule == "constant":
            return self.spec.learning_rate
        return self.spec.learning_rate * 0.5 * (1.0 + math.cos(math.pi * self.done / self.total))

    @property
    def decay(self) -> float:
        return min(self.spec.ema_decay, (1.0 + self.done) / (_YOUNG + self.done))

    def step(self) -> None:
        self.done += 1
        if self.course.tell is not None:
            self.course.tell(self.done, self.total)


def _epoch(loop: _Loop, data: "torch.Tensor", pace: _Pace, place: Place) -> None:
    torch = neural("torch")
    with place.at_work():
        for chosen in torch.randperm(len(data), generator=loop.source).split(pace.spec.batch_size):
            clean = data[chosen]
            noise = torch.randn(clean.shape, generator=loop.source)
            level = torch.randint(loop.denoiser.steps, (len(clean),), generator=loop.source)
            batch = tuple(part.to(place.device) for part in (clean, noise, level))
            loss = _loss(loop.denoiser, loop.scheduler, *batch)
            _update(loop, loss, pace)
            pace.step()


def _loss(
    denoiser: Denoiser,
    scheduler: Any,  # noqa: ANN401 - diffusers has no types
    clean: "torch.Tensor",
    noise: "torch.Tensor",
    level: "torch.Tensor",
) -> "torch.Tensor":
    noisy = scheduler.add_noise(clean, noise, level)
    kind = scheduler.config.prediction_type
    wanted = noise
    if kind == "sample":
        wanted = clean
    elif kind == "v_prediction":
        wanted = scheduler.get_velocity(clean, noise, level)
    loss: torch.Tensor = neural("torch.nn.functional").mse_loss(denoiser(noisy, level), wanted)
    return loss


def _update(loop: _Loop, loss: "torch.Tensor", pace: _Pace) -> None:
    torch = neural("torch")
    for group in loop.optimizer.param_groups:
        group["lr"] = pace.learning_rate
    loop.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(loop.weights, pace.spec.gradient_clip)
    if not torch.isfinite(norm + loss.detach()):
        raise TrainingError(
            f"training went astray at step {pace.done + 1} of {pace.total}: loss {loss.item():g}, "
            f"gradient norm {norm.item():g}; a smaller generator.learning-rate "
            f"(now {pace.spec.learning_rate:g}) may help"
        )
    loop.optimizer.step()
    with torch.no_grad():
        torch._foreach_lerp_(loop.average, loop.weights, 1.0 - pace.decay)
