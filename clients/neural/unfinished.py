# SPDX-License-Identifier: Apache-2.0
"""The state of an unfinished training: kept between epochs, taken up by the same training only."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailweave.clients.generators.course import Course
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.weights import load_weights, save_weights

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]


@dataclass
class Unfinished:
    """Keeps everything that the next epoch depends on, in one file.

    Attributes:
        course: Where and how often.
        work: Names the training: its rows, first weights, options and stream; another one's file is not used.
        kept: When the state was last kept, ``time.monotonic`` seconds.
    """

    course: Course
    work: str
    kept: float

    @classmethod
    def of(cls, course: Course, *parts: bytes) -> "Unfinished":
        """Return the keeper of the training that ``parts`` determine."""
        return cls(course, hashlib.sha256(b"|".join(parts)).hexdigest(), time.monotonic())

    def keep(self, epoch: int, state: Tensors) -> None:
        """Write the state after ``epoch`` epochs, if it is time to."""
        path = self.course.unfinished
        if path is None or time.monotonic() - self.kept < self.course.keep_seconds:
            return
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}
        save_weights(path, arrays, {"work": self.work, "epoch": str(epoch)})
        self.kept = time.monotonic()

    def take_up(self) -> tuple[int, Tensors]:
        """Return epochs done and state; 0 and nothing where none of this training was kept."""
        path = self.course.unfinished
        if path is None or not path.exists():
            return 0, {}
        arrays, note = load_weights(path)
        if note.get("work") != self.work:
            return 0, {}
        torch = neural("torch")
        return int(note["epoch"]), {name: torch.from_numpy(array) for name, array in arrays.items()}

    def done(self) -> None:
        """Remove the file: the training is finished."""
        if self.course.unfinished is not None:
            Path(self.course.unfinished).unlink(missing_ok=True)


def optimizer_state(optimizer: Any) -> Tensors:  # noqa: ANN401 - any torch optimiser
    """Return an optimiser's tensors by name."""
    return {
        f"optimizer/{number}/{name}": tensor
        for number, parts in optimizer.state_dict()["state"].items()
        for name, tensor in parts.items()
    }


def restore_optimizer(optimizer: Any, state: Tensors) -> None:  # noqa: ANN401 - any torch optimiser
    """Put back what ``optimizer_state`` returned."""
    parts: dict[int, Tensors] = {}
    for path, tensor in state.items():
        kind, _, rest = path.partition("/")
        if kind == "optimizer":
            number, _, name = rest.partition("/")
            parts.setdefault(int(number), {})[name] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": parts})
