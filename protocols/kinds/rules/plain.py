# SPDX-License-Identifier: Apache-2.0
"""Rules that compare with nothing and have no options."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.rules.base import RuleKind


class Random(RuleKind):
    """No selection."""

    kind: Literal["random"]
    compares: ClassVar = "nothing"


class KMeansRule(RuleKind):
    """As many clusters as picks, the candidate nearest each center."""

    kind: Literal["k-means"]
    compares: ClassVar = "nothing"


class FarthestPoint(RuleKind):
    """Always the candidate farthest from all kept so far (greedy selection)."""

    kind: Literal["farthest-point"]
    compares: ClassVar = "nothing"
