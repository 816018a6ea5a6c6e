# SPDX-License-Identifier: Apache-2.0
"""The average of FedAvg, by Flower's own strategy."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from flwr.app import Array, ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAvg

from tailweave.protocols.arrays import Floats

_WEIGHT = "num-examples"
"""Flower's own name for a reply's weight."""


def federated_average(
    models: Sequence[Mapping[str, Floats]], weights: Sequence[float], turn: int
) -> dict[str, Floats]:
    r"""Average parameters over silos.

    .. math:: \theta = \sum_k \frac{n_k}{\sum_j n_j} \theta_k

    ``aggregate_train`` of Flower's strategy does it. ``FedAvg.start`` is not used: it asks whichever nodes it
    samples, waits in a loop of its own and takes replies unchecked, where a run here has one exchange with a
    deadline for each silo, refuses what does not fit, and must repeat itself after a kill. So replies are
    given to the strategy after they were accepted, with the weight that the server decided on.

    Args:
        models: Parameters by name, one a silo, of the same names and shapes, in the silos' order.
        weights: n_k, one a silo, positive.
        turn: Number of the round, from 1.

    Returns:
        The average, by name.

    Raises:
        ValueError: If there are no models, or not one positive weight for each.

    Source:
        McMahan et al. (2017), AISTATS, algorithm 1; ``flwr.serverapp.strategy.FedAvg`` of Flower 1.41.
    """
    if not models or len(models) != len(weights) or not all(weight > 0.0 for weight in weights):
        raise ValueError(f"each of one or more models needs a positive weight, got {list(weights)[:8]}")
    replies = [_reply(*pair) for pair in zip(models, weights, strict=True)]
    with _quiet():
        arrays, _ = FedAvg().aggregate_train(turn, replies)
    if arrays is None:
        raise ValueError(f"Flower's FedAvg made nothing of {len(models)} models")
    return {str(name): array.numpy() for name, array in arrays.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Flower from logging a line a round into what the user reads; its warnings pass."""
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        logger.setLevel(level)


def _reply(model: Mapping[str, Floats], weight: float) -> Message:
    arrays = ArrayRecord({name: Array(value) for name, value in model.items()})
    content = RecordDict({"arrays": arrays, "metrics": MetricRecord({_WEIGHT: float(weight)})})
    return Message(content, 0, "train")
