# SPDX-License-Identifier: Apache-2.0
"""Training a network of rows in epochs: AdamW, clipped gradients, averaged weights; resumable in between."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.neural.descent import Pace, descend
from tailweave.clients.neural.device import Place, torch_stream
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.unfinished import Tensors, Unfinished, optimizer_state, restore_optimizer
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.trained import Trained

if TYPE_CHECKING:
    import torch

Loss = Callable[["torch.Tensor", "torch.Generator"], "torch.Tensor"]
"""Of a batch of rows on the CPU, shape (b, p); its random draws are made on the CPU, from the generator."""
_YOUNG = 10.0
"""The average of n updates weighs its start like 10 of them, until the decay asked for is reached."""


@dataclass(frozen=True)
class Effort:
    """For how long, where and beside what a network is trained.

    Attributes:
        epochs: Passes over the rows.
        place: Device and precision.
        course: Whom to tell, and where to keep an unfinished state.
        rng: Stream of order, noise and all else that a loss draws.
    """

    epochs: int
    place: Place
    course: Course
    rng: np.random.Generator


@dataclass
class _Loop:
    """What changes while it trains."""

    weights: list["torch.Tensor"]
    average: list["torch.Tensor"]
    optimizer: Any
    source: "torch.Generator"

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


def train(network: "torch.nn.Module", rows: Floats, spec: Trained, effort: Effort, loss: Loss) -> None:
    """Train in place; the network ends with the averaged weights.

    Args:
        network: On the effort's place; its weights are where training starts.
        rows: Scaled rows, shape (n, p).
        spec: Options.
        effort: How long, where, beside what.
        loss: What is made small.

    Raises:
        TrainingError: If the loss is not finite.
    """
    torch = neural("torch")
    loop = _loop(network, spec, effort.rng)
    first = b"".join(tensor.detach().cpu().numpy().tobytes() for tensor in loop.weights)
    options = f"{spec.model_dump_json()} {effort.epochs} {effort.place.device}".encode()
    source = loop.source.get_state().numpy().tobytes()
    keeper = Unfinished.of(effort.course, rows.tobytes(), first, options, source)
    data = torch.from_numpy(rows.astype(np.float32))
    done, state = keeper.take_up()
    if state:
        loop.restore(state)
    steps = math.ceil(len(rows) / spec.batch_size)
    total = effort.epochs * steps
    pace = Pace(spec.learning_rate, spec.learning_schedule, total, effort.course, done * steps)
    network.train()
    for epoch in range(done, effort.epochs):
        with effort.place.at_work():
            _epoch(loop, data, spec, pace, loss)
        keeper.keep(epoch + 1, loop.state())
    with torch.no_grad():
        for weight, averaged in zip(loop.weights, loop.average, strict=True):
            weight.copy_(averaged)
    network.eval()
    keeper.done()


def _loop(network: "torch.nn.Module", spec: Trained, rng: np.random.Generator) -> _Loop:
    weights: list[torch.Tensor] = list(network.parameters())
    optimizer = neural("torch").optim.AdamW(weights, lr=spec.learning_rate, weight_decay=spec.weight_decay)
    return _Loop(weights, [weight.detach().clone() for weight in weights], optimizer, torch_stream(rng))


def _epoch(loop: _Loop, data: "torch.Tensor", spec: Trained, pace: Pace, loss: Loss) -> None:
    order = neural("torch").randperm(len(data), generator=loop.source)
    for chosen in order.split(spec.batch_size):
        descend(loss(data[chosen], loop.source), loop.weights, loop.optimizer, pace, clip=spec.gradient_clip)
        _average(loop, spec.ema_decay, pace.done)
        pace.step()


def _average(loop: _Loop, decay: float, done: int) -> None:
    """Move the average towards the weights: less and less, until the decay asked for is reached."""
    torch = neural("torch")
    with torch.no_grad():
        torch._foreach_lerp_(loop.average, loop.weights, 1.0 - min(decay, (1.0 + done) / (_YOUNG + done)))
