# SPDX-License-Identifier: Apache-2.0
"""Distances to the truth."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind


class Frechet(MetricKind):
    """Distance between Gaussians fitted to real and synthetic samples."""

    kind: Literal["frechet"]
    title: ClassVar = "Fréchet"
    better: ClassVar = "lower"
    role: ClassVar = "main"
    place: ClassVar = 0
    rank: ClassVar = 3


class W2Sq(MetricKind):
    """Squared 2-Wasserstein distance to the truth."""

    kind: Literal["w2_sq"]
    title: ClassVar = "W2²"
    better: ClassVar = "lower"
    place: ClassVar = 1
    rank: ClassVar = 11


class SlicedW2Sq(MetricKind):
    """Squared sliced 2-Wasserstein distance to the truth: where there are too many rows for W2²."""

    kind: Literal["sliced_w2_sq"]
    title: ClassVar = "sliced W2²"
    better: ClassVar = "lower"
    role: ClassVar = "part"
    place: ClassVar = 2


class EnergyDistance(MetricKind):
    """Energy distance to the truth."""

    kind: Literal["energy_distance"]
    title: ClassVar = "energy"
    better: ClassVar = "lower"
    place: ClassVar = 3
    rank: ClassVar = 12
