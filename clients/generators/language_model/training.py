# SPDX-License-Identifier: Apache-2.0
"""Training a language model: next-token prediction, AdamW, clipped gradients; resumable between epochs."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.language_model.network import trainable
from tailweave.clients.generators.language_model.sequences import Batch, Sequences
from tailweave.clients.generators.language_model.tokens import Tokens
from tailweave.clients.neural.descent import Pace, descend
from tailweave.clients.neural.device import Place, torch_stream
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.unfinished import Tensors, Unfinished, optimizer_state, restore_optimizer
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec

if TYPE_CHECKING:
    import torch

_IGNORED = -100
"""What torch passes over: padding."""


@dataclass
class _Loop:
    """What changes while it trains."""

    network: Any
    weights: list["torch.Tensor"]
    optimizer: Any
    source: "torch.Generator"

    def state(self) -> Tensors:
        kept: Tensors = {"source": self.source.get_state(), "dropout": neural("torch").get_rng_state()}
        return (
            kept
            | {f"weights/{i}": part for i, part in enumerate(self.weights)}
            | optimizer_state(self.optimizer)
        )

    def restore(self, state: Tensors) -> None:
        torch = neural("torch")
        self.source.set_state(state["source"])
        torch.set_rng_state(state["dropout"])
        with torch.no_grad():
            for i, part in enumerate(self.weights):
                part.copy_(state[f"weights/{i}"])
        restore_optimizer(self.optimizer, state)


def train(
    network: Any,  # noqa: ANN401 - transformers has no types
    tokens: Tokens,
    documents: Sequences,
    spec: LanguageModelSpec,
    place: Place,
    course: tuple[Course, np.random.Generator, bool],
) -> None:
    """Train in place.

    Args:
        network: On ``place``; its weights are where training starts.
        tokens: Its tokenizer.
        documents: Token numbers of n documents; the end of a document is learnt too.
        spec: Options.
        place: Device and precision.
        course: Whom to tell and where to keep an unfinished state; the stream of the order; and whether this
            is the first fit.

    Raises:
        TrainingError: If the loss is not finite.
    """
    torch = neural("torch")
    beside, rng, first = course
    epochs, source = spec.first_epochs if first else spec.epochs, torch_stream(rng)
    rate = (spec.first_learning_rate or spec.learning_rate) if first else spec.learning_rate
    loop = _Loop(network, trainable(network, spec, first=first), None, source)
    loop.optimizer = torch.optim.AdamW(loop.weights, lr=rate, weight_decay=spec.weight_decay)
    whole = [[tokens.begin, *one, tokens.end] for one in documents]
    before = b"".join(part.detach().cpu().numpy().tobytes() for part in loop.weights)
    options = f"{spec.model_dump_json()} {first} {place.device}".encode()
    keeper = Unfinished.of(
        beside, repr(whole).encode(), before, options, source.get_state().numpy().tobytes()
    )
    steps = math.ceil(len(whole) / spec.batch_size)
    pace = Pace(rate, spec.learning_schedule, max(1, epochs * steps), beside)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.initial_seed())  # of dropout
        done, state = keeper.take_up()
        if state:
            loop.restore(state)
        pace.done = done * steps
        network.train()
        for epoch in range(done, epochs):
            _epoch(loop, whole, spec, pace, place)
            keeper.keep(epoch + 1, loop.state())
    network.eval()
    keeper.done()


def _epoch(loop: _Loop, whole: list[list[int]], spec: LanguageModelSpec, pace: Pace, place: Place) -> None:
    torch = neural("torch")
    with place.at_work():
        for chosen in torch.randperm(len(whole), generator=loop.source).split(spec.batch_size):
            batch = Batch.of([whole[i] for i in chosen.tolist()], whole[0][-1], place.device)
            logits = loop.network(input_ids=batch.ids, attention_mask=batch.mask).logits[:, :-1].float()
            wanted = batch.ids.masked_fill(batch.mask == 0, _IGNORED)[:, 1:]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten())
            descend(loss, loop.weights, loop.optimizer, pace, clip=spec.gradient_clip)
            pace.step()
