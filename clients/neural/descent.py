# SPDX-License-Identifier: Apache-2.0
"""What every training does in a step: the rate that follows from how far it is, and a clipped update."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailweave.clients.generators.course import Course
from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch


class TrainingError(ValueError):
    """A training that went astray; the message names step and loss and what may help."""


@dataclass
class Pace:
    """How far a training is.

    Attributes:
        rate: Learning rate at its beginning.
        schedule: ``cosine`` or ``linear`` to zero, or ``constant``.
        total: Steps of all of it.
        course: Whom to tell.
        done: Steps that are done.
    """

    rate: float
    schedule: str
    total: int
    course: Course
    done: int = 0

    @property
    def learning_rate(self) -> float:
        """Rate of the next step."""
        if self.schedule == "constant":
            return self.rate
        if self.schedule == "linear":
            return self.rate * (1.0 - self.done / self.total)
        return self.rate * 0.5 * (1.0 + math.cos(math.pi * self.done / self.total))

    def step(self) -> None:
        """Count a step, and tell of it."""
        self.done += 1
        if self.course.tell is not None:
            self.course.tell(self.done, self.total)


def descend(
    loss: "torch.Tensor",
    weights: Sequence["torch.Tensor"],
    optimizer: Any,  # noqa: ANN401 - any torch optimiser
    pace: Pace,
    *,
    clip: float,
) -> None:
    """Update weights by the gradient of a loss, whose norm is at most ``clip``.

    Raises:
        TrainingError: If loss or gradient are not finite.
    """
    torch = neural("torch")
    for group in optimizer.param_groups:
        group["lr"] = pace.learning_rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(weights, clip)
    if not torch.isfinite(norm + loss.detach()):
        raise TrainingError(
            f"training went astray at step {pace.done + 1} of {pace.total}: loss {loss.item():g}, "
            f"gradient norm {norm.item():g}; a smaller generator.learning-rate (now {pace.rate:g}) may help"
        )
    optimizer.step()
