# SPDX-License-Identifier: Apache-2.0
"""A small classifier, and its adaptation to rows without labels by its normalisation alone, as Tent does."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.neural.device import Place, torch_stream
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats, Ints

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_CPU = Place("cpu", bfloat16=False)
_EPOCHS, _BATCH, _RATE = 30, 64, 0.01
"""Of training with labels: a tenth of them leaves the accuracy on digits as it is."""


def trained(
    rows: Floats, labels: Ints, *, classes: int, hidden: int, rng: np.random.Generator
) -> "torch.nn.Sequential":
    """Train a perceptron of two hidden layers, each normalised (LayerNorm), on labelled rows.

    Args:
        rows: Shape (n, p).
        labels: 0 to C - 1, shape (n,).
        classes: C.
        hidden: Width.
        rng: First weights and order.

    Returns:
        The network, float64: the same for the same stream, to rounding on other machines.
    """
    torch = neural("torch", "adaptation")
    inputs, truth = torch.as_tensor(rows, dtype=torch.float64), torch.as_tensor(labels)
    with _CPU.at_work():
        network = _network(rows.shape[1], classes, hidden, torch_stream(rng).initial_seed())
        optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
        for _ in range(_EPOCHS):
            for batch in torch.as_tensor(rng.permutation(len(rows))).split(_BATCH):
                loss = torch.nn.functional.cross_entropy(network(inputs[batch]), truth[batch])
                _descend(loss, optimizer)
    return network


def adapted(
    network: "torch.nn.Sequential",
    rows: Floats,
    loss: "Callable[[Tensor], Tensor]",
    *,
    batch: int,
    rate: float,
) -> Iterator[Ints]:
    """Adapt a network in place to rows as they come, pass after pass without end.

    Only scale and offset of its normalising layers change, by Adam, a step a batch.

    Args:
        network: As trained; all else in it stays as it is.
        rows: Shape (n, p), in the order in which they come.
        loss: Of the logits of a batch.
        batch: Rows of one, at least 1; the last may have fewer.
        rate: Learning rate.

    Yields:
        After each pass: the class given to each row as it came, before its own step, shape (n,).

    Raises:
        ValueError: If the network has no normalising layer.

    Source:
        Wang et al. (2021), Tent, arXiv 2006.10726, section 3.2.
    """
    torch = neural("torch", "adaptation")
    weights = _of_norms(network)
    optimizer = torch.optim.Adam(weights, lr=rate)
    inputs = torch.as_tensor(rows, dtype=torch.float64)
    while True:
        said = []
        with _CPU.at_work():
            for part in inputs.split(batch):
                logits = network(part)
                said.append(logits.detach().argmax(dim=1).numpy())
                _descend(loss(logits), optimizer)
        yield np.concatenate(said)


def predicted(network: "torch.nn.Sequential", rows: Floats) -> Ints:
    """Return the class of each row, shape (n,)."""
    torch = neural("torch", "adaptation")
    with _CPU.at_work(), torch.no_grad():
        found: Ints = network(torch.as_tensor(rows, dtype=torch.float64)).argmax(dim=1).numpy()
    return found


def _network(columns: int, classes: int, hidden: int, seed: int) -> "torch.nn.Sequential":
    drawing, nn = neural("torch.random"), neural("torch.nn")
    with drawing.fork_rng(devices=[]):
        drawing.manual_seed(seed)
        layers = [
            layer
            for wide in (columns, hidden)
            for layer in (nn.Linear(wide, hidden), nn.LayerNorm(hidden), nn.ReLU())
        ]
        network: torch.nn.Sequential = nn.Sequential(*layers, nn.Linear(hidden, classes)).double()
    return network


def _of_norms(network: Any) -> "list[Tensor]":  # noqa: ANN401 - any torch module
    """Return scale and offset of every normalising layer, and let nothing else have a gradient."""
    nn = neural("torch.nn")
    network.requires_grad_(False)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.LayerNorm)]
    weights = [weight for layer in norms for weight in layer.parameters()]
    if not weights:
        raise ValueError("network must have a normalising layer to adapt, found none")
    for weight in weights:
        weight.requires_grad_(True)
    return weights


def _descend(loss: "Tensor", optimizer: Any) -> None:  # noqa: ANN401 - any torch optimiser
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
