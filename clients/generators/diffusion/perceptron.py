# SPDX-License-Identifier: Apache-2.0
"""The denoiser of rows: a residual perceptron that is told the time in every block."""

import math
from typing import TYPE_CHECKING, Any

from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_WAVES = 32
_SLOWEST = 1e-4


def perceptron(columns: int, hidden: int, layers: int) -> "torch.nn.ModuleDict":
    """Build the network, with torch's own first weights.

    Args:
        columns: p, of a row.
        hidden: Width.
        layers: Residual blocks, of two linear maps each.

    Returns:
        Its parts by name; ``predict`` puts them together.
    """
    nn = neural("torch.nn")
    blocks = [
        nn.ModuleDict(
            {
                "norm": nn.LayerNorm(hidden),
                "first": nn.Linear(hidden, hidden),
                "second": nn.Linear(hidden, hidden),
            }
        )
        for _ in range(layers)
    ]
    network: torch.nn.ModuleDict = nn.ModuleDict(
        {
            "inlet": nn.Linear(columns, hidden),
            "time": nn.Sequential(nn.Linear(2 * _WAVES, hidden), nn.SiLU(), nn.Linear(hidden, hidden)),
            "blocks": nn.ModuleList(blocks),
            "outlet": nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, columns)),
        }
    )
    return network


def predict(
    network: Any,  # noqa: ANN401 - indexing a ModuleDict has no type
    noisy: "Tensor",
    time: "Tensor",
) -> "Tensor":
    """Predict the noise in noisy rows.

    Args:
        network: Of ``perceptron``.
        noisy: Shape (n, p).
        time: Share of the way to pure noise, in [0, 1], shape (n,).

    Returns:
        Shape (n, p).
    """
    silu = neural("torch.nn.functional").silu
    told = network["time"](_waves(time))
    state = network["inlet"](noisy)
    for block in network["blocks"]:
        state = state + block["second"](silu(block["first"](block["norm"](state) + told)))
    predicted: Tensor = network["outlet"](state)
    return predicted


def _waves(time: "Tensor") -> "Tensor":
    """Sines and cosines of the time at frequencies from 1000 down to 0.1, shape (n, 64)."""
    torch = neural("torch")
    steps = torch.arange(_WAVES, dtype=torch.float32, device=time.device) / (_WAVES - 1)
    angles = 1000.0 * time[:, None] * torch.exp(math.log(_SLOWEST) * steps)
    waves: Tensor = torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)
    return waves
