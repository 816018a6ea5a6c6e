# SPDX-License-Identifier: Apache-2.0
"""How large a network is, and how fast it trains and draws here."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tailweave.clients.neural.extra import neural

_BRIEF_SECONDS = 0.5
_SMALL = 4


@dataclass(frozen=True)
class Size:
    """What a network takes up.

    Attributes:
        parameters: Numbers of the network.
        trained: Those that are trained, kept and sent: not a frozen base's.
        copies: Of the trained ones, held at once beside the network.
        activation_bytes: What one training step keeps for its gradients, float32, without the weights.
    """

    parameters: int
    trained: int
    copies: int
    activation_bytes: int


@dataclass(frozen=True)
class Speed:
    """How fast a network is on one device.

    Attributes:
        device: Its name.
        step_seconds: One training step of a whole batch.
        row_seconds: Drawing one row, all calls of the network.
    """

    device: str
    step_seconds: float
    row_seconds: float


def scaled(measured: Callable[[int], float], batch: int) -> float:
    """Measure with a growing batch until that takes long enough to be scaled up to the whole one."""
    size = min(_SMALL, batch)
    seconds = measured(size)
    while size < batch and seconds < _BRIEF_SECONDS:
        size = min(8 * size, batch)
        seconds = measured(size)
    return seconds * batch / size


def now(device: str) -> float:
    """Return wall time of a GPU, and of a CPU the time of this process alone, whatever else runs there."""
    if device != "cuda":
        return time.process_time()
    neural("torch").cuda.synchronize()
    return time.perf_counter()
