# SPDX-License-Identifier: Apache-2.0
"""Rules that compare with a reference and have no options."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.rules.base import RuleKind


class CenterMatching(RuleKind):
    """The candidates nearest the reference's mean."""

    kind: Literal["center-matching"]


class CenterSampling(RuleKind):
    """Drawn in proportion to the cosine with the reference's mean."""

    kind: Literal["center-sampling"]


class TopPotential(RuleKind):
    """Keep the best optimal-transport potentials: the published score-and-cut (Scheme II)."""

    kind: Literal["top-potential"]


class Nash(RuleKind):
    """Greedy on the logarithms of the silos' utilities (Scheme I); one silo: top-potential."""

    kind: Literal["nash"]


class PartialTransport(RuleKind):
    """Pick the subset nearest the reference in W2, by linear programming."""

    kind: Literal["partial-transport"]


class Herding(RuleKind):
    """Pick the subset nearest the reference in energy distance (tailweave's own)."""

    kind: Literal["herding"]
    compares: ClassVar = "potential"
