# SPDX-License-Identifier: Apache-2.0
"""The processor on which candidates are compared: the graphics card that already works in this process."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.neural.extra import neural
from tailweave.protocols.references.processor import HERE, Processor

_TILE = 16_384
"""Of a card: 1 GB of distances in float32."""


def processor_in_use() -> Processor:
    """Return the card where torch computes on one in this process, as a generator does that drew there.

    Elsewhere, and where torch was never asked for, NumPy.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return HERE
    return torch_on("cuda")


def torch_on(device: str) -> Processor:
    """Return torch with its arrays on a device."""
    torch = neural("torch")

    def send(values: NDArray[Any]) -> Any:  # noqa: ANN401 - a tensor
        return torch.as_tensor(np.ascontiguousarray(values), device=device)

    def fetch(values: Any) -> NDArray[Any]:  # noqa: ANN401 - a tensor
        found: NDArray[Any] = values.cpu().numpy()
        return found

    return Processor(torch, send, fetch, _TILE)
