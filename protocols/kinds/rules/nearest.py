# SPDX-License-Identifier: Apache-2.0
"""Rules that compare with a reference and have no options, but for how herding is cut into windows."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

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
    """Pick the subset nearest the reference in energy distance (tailweave's own).

    Up to 4,096 candidates are decided on at once, more of them in windows: of 2,048 where the reference has
    points, of 512 where it is a sketch, or of ``window``, which then holds for fewer candidates too.
    """

    kind: Literal["herding"]
    compares: ClassVar = "potential"
    window: Annotated[int, Field(ge=16, le=4096)] | None = None
