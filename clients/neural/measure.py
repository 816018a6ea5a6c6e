# SPDX-License-Identifier: Apache-2.0
"""Counting what a network of rows takes up, and timing a few steps of it on random rows."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.neural.cost import Size, Speed, now, scaled
from tailweave.clients.neural.device import Place
from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SOME_STEPS = 4
"""Training steps that are timed; the first warms up."""
_COPIES = 6
"""Gradient, two moments of AdamW, average, and the generation before and after."""


def size_of(network: "torch.nn.Module", forward: Callable[[], object]) -> Size:
    """Count parameters and activations without making either: shapes only.

    Args:
        network: On device ``meta``, in training.
        forward: One call of it on a batch there.
    """
    own = {_storage(parameter)._cdata for parameter in network.parameters()}
    kept: dict[int, int] = {}
    alive = []  # a storage that is freed could give its address to the next one

    def pack(tensor: "Tensor") -> "Tensor":
        storage = _storage(tensor)
        alive.append(storage)
        if storage._cdata not in own:
            kept[storage._cdata] = int(storage.nbytes())
        return tensor

    with neural("torch").autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        forward()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Size(parameters, parameters, _COPIES, sum(kept.values()))


def devices() -> list[str]:
    """Return every device that torch finds here."""
    return ["cpu", *(["cuda"] if neural("torch").cuda.is_available() else [])]


def speed_of(
    place: Place,
    train: Callable[[int, Course], object],
    draw: Callable[[int], object],
    batches: tuple[int, int],
) -> Speed:
    """Time training and drawing on one device; a CPU has one thread, as in a run.

    Slow devices are given a part of the batch, and the time is taken to grow with it.

    Args:
        place: The device.
        train: Trains ``SOME_STEPS`` steps of so many rows, and tells a course of each.
        draw: Draws so many rows.
        batches: Rows of a whole training step, and of a whole draw.
    """
    name = neural("torch").cuda.get_device_name() if place.device == "cuda" else "cpu, one thread"

    def steps(batch: int) -> float:
        times: list[float] = []
        train(batch, Course(tell=lambda done, total: times.append(now(place.device))))
        return float(np.median(np.diff(times)))

    def draws(batch: int) -> float:
        draw(batch)
        start = now(place.device)
        draw(batch)
        return now(place.device) - start

    training, drawing = batches
    return Speed(name, scaled(steps, training), scaled(draws, drawing) / drawing)


def _storage(tensor: "Tensor") -> "torch.UntypedStorage":
    return tensor.untyped_storage()
