# SPDX-License-Identifier: Apache-2.0
"""Networks from parameters by name, and back: what fits is put into place, what does not is named."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch

Tensor = NDArray[np.float32]
_WEIGHTS = "weights/"


def fresh(build: "Callable[[], torch.nn.Module]", source: "torch.Generator") -> "torch.nn.Module":
    """Build a network with first weights of its own stream.

    torch's layers draw their weights from the global generator; it is put back as it was.
    """
    torch = neural("torch")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(source.initial_seed())  # the CPU's alone
        return build()


def with_weights(network: "torch.nn.Module", weights: Mapping[str, Tensor], device: str) -> None:
    """Give a network that was built on device ``meta`` its weights, in place, for drawing or training."""
    torch = neural("torch")
    tensors = {name: torch.tensor(array, device=device) for name, array in weights.items()}
    network.load_state_dict(tensors, strict=True, assign=True)
    network.requires_grad_(True).eval()


def weights_of(network: "torch.nn.Module") -> dict[str, Tensor]:
    """Return a network's parameters by torch's names."""
    named = network.state_dict().items()
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in named}


def as_arrays(weights: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Return weights as they stand among a model's arrays."""
    return {f"{_WEIGHTS}{name}": tensor for name, tensor in weights.items()}


def from_arrays(network: "torch.nn.Module", arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Read ``as_arrays``.

    Args:
        network: On device ``meta``; what the weights are for.
        arrays: Of a model; other arrays are passed over.

    Raises:
        ValueError: If one is missing, unknown or of another shape.
    """
    named = {name.removeprefix(_WEIGHTS): a for name, a in arrays.items() if name.startswith(_WEIGHTS)}
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    lacking, strange = sorted(wanted.keys() - named), sorted(named.keys() - wanted)
    if lacking or strange:
        raise ValueError(f"weights do not fit the network: missing {lacking[:3]}, unknown {strange[:3]}")
    wrong = [name for name, shape in wanted.items() if named[name].shape != shape]
    if wrong:
        name = wrong[0]
        raise ValueError(f"weights {name} must have shape {wanted[name]}, got {named[name].shape}")
    return {name: array.astype(np.float32) for name, array in named.items()}
