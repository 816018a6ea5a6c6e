# SPDX-License-Identifier: Apache-2.0
"""Shares of the classes of the truth."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind


class ModesCovered(MetricKind):
    """Modes that hold at least 2 % of the samples."""

    kind: Literal["modes_covered"]
    title: ClassVar = "modes"
    better: ClassVar = "higher"
    decimals: ClassVar = 1
    role: ClassVar = "main"
    high: ClassVar = 1e6
    place: ClassVar = 14
    rank: ClassVar = 6


class RarestModeShare(MetricKind):
    """Share of samples in the mode that the truth has least of."""

    kind: Literal["rarest_mode_share"]
    title: ClassVar = "rarest mode"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0
    place: ClassVar = 15
    rank: ClassVar = 8


class ModeShare(MetricKind):
    """Share of samples in one mode."""

    kind: Literal["mode_share"]
    per_class: ClassVar = True
    title: ClassVar = "share of a mode"
    decimals: ClassVar = 3
    role: ClassVar = "part"
    high: ClassVar = 1.0
    place: ClassVar = 16


class UnseenShare(MetricKind):
    """Share of samples in classes that the silo itself has no row of."""

    kind: Literal["unseen_share"]
    title: ClassVar = "unseen classes"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0 + 1e-9
    place: ClassVar = 17
    rank: ClassVar = 7


class ThinnedShare(MetricKind):
    """Share of the classes that the public base saw less of; silos that hold them may carry the mean."""

    kind: Literal["thinned_share"]
    title: ClassVar = "thinned classes"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 1.0
    sees: ClassVar = "report"
    place: ClassVar = 19
    rank: ClassVar = 9
