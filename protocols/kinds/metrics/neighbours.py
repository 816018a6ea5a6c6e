# SPDX-License-Identifier: Apache-2.0
"""What lies in whose neighbourhood, k = 5."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind


class Precision(MetricKind):
    """Share of synthetic samples that lie inside the real support."""

    kind: Literal["precision"]
    title: ClassVar = "precision"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0
    place: ClassVar = 4
    rank: ClassVar = 2


class Recall(MetricKind):
    """Share of real samples that lie inside the synthetic support."""

    kind: Literal["recall"]
    title: ClassVar = "recall"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0
    place: ClassVar = 5
    rank: ClassVar = 1


class Density(MetricKind):
    """How many real neighbourhoods hold a synthetic sample, scaled."""

    kind: Literal["density"]
    title: ClassVar = "density"
    better: ClassVar = "higher"
    high: ClassVar = 3000.0  # rows of the truth whose balls are counted
    place: ClassVar = 6
    rank: ClassVar = 10


class Coverage(MetricKind):
    """Share of real samples with a synthetic one in their neighbourhood."""

    kind: Literal["coverage"]
    title: ClassVar = "coverage"
    better: ClassVar = "higher"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0
    place: ClassVar = 7
    rank: ClassVar = 0
