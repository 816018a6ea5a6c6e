# SPDX-License-Identifier: Apache-2.0
"""Generated rows beside those that their model was trained on."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind


class Memorization(MetricKind):
    """Nearest training distance ratio."""

    kind: Literal["memorization"]
    title: ClassVar = "memorization"
    sees: ClassVar = "training"
    place: ClassVar = 11
    rank: ClassVar = 14


class GeneralizationScore(MetricKind):
    """Mean distance from samples to the nearest training row of their model."""

    kind: Literal["generalization_score"]
    title: ClassVar = "generalization"
    sees: ClassVar = "training"
    place: ClassVar = 12
    rank: ClassVar = 15


class TrainingEntropy(MetricKind):
    """Differential entropy of the rows that the model was trained on, in nats."""

    kind: Literal["training_entropy"]
    title: ClassVar = "training entropy"
    low: ClassVar = -1e9
    high: ClassVar = 1e9
    sees: ClassVar = "training"
    place: ClassVar = 13
    rank: ClassVar = 16


class RealShare(MetricKind):
    """Share of real rows among those that the model was trained on."""

    kind: Literal["real_share"]
    title: ClassVar = "real rows"
    decimals: ClassVar = 3
    high: ClassVar = 1.0
    sees: ClassVar = "training"
    place: ClassVar = 18
    rank: ClassVar = 17
