# SPDX-License-Identifier: Apache-2.0
"""Where a network runs and in which precision, and the one thread that makes a CPU repeat itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Place:
    """Where tensors live and multiply.

    Attributes:
        device: ``cpu`` or ``cuda``.
        bfloat16: Whether products are made in bfloat16; parameters stay float32.
    """

    device: str
    bfloat16: bool

    def put(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """Bring a batch from the CPU; to a GPU out of pinned memory, so that copies run beside its work."""
        return tensor if self.device == "cpu" else tensor.pin_memory().to(self.device, non_blocking=True)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """One CPU thread (sums depend on how many there are), products in the place's precision."""
        torch = neural("torch")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16):
                yield
        finally:
            torch.set_num_threads(threads)


class Wanted(Protocol):
    """Options that say where a network runs."""

    @property
    def device(self) -> str:
        """``auto``, ``cpu`` or ``cuda``."""
        ...

    @property
    def precision(self) -> str:
        """``auto``, ``float32`` or ``bfloat16``."""
        ...


def place_of(spec: Wanted) -> Place:
    """Choose the device and precision that ``spec`` asks for.

    ``auto`` takes CUDA where there is one, and there bfloat16 where the hardware has it.

    Raises:
        ValueError: If CUDA is asked for and there is none.
    """
    torch = neural("torch")
    found = bool(torch.cuda.is_available())
    if spec.device == "cuda" and not found:
        raise ValueError("generator.device: cuda was asked for, but torch finds no CUDA device; allowed: cpu")
    device = "cuda" if spec.device != "cpu" and found else "cpu"
    if spec.precision == "auto":
        return Place(device, device == "cuda" and bool(torch.cuda.is_bf16_supported()))
    return Place(device, spec.precision == "bfloat16")


def torch_stream(rng: np.random.Generator) -> "torch.Generator":
    """Return a CPU generator seeded from a named stream.

    All draws are made on the CPU, whatever the network runs on, so that every device sees the same noise.
    """
    drawn: torch.Generator = neural("torch").Generator().manual_seed(int(rng.integers(2**63)))
    return drawn
