# SPDX-License-Identifier: Apache-2.0
"""Rules that look at the labels which a generator gave, for generators whose candidates have labels."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.rules.base import CONFIDENCE, RuleKind


class MostConfident(RuleKind):
    """Labelled candidates: those of whose label the generator is surest (self-training)."""

    kind: Literal["most-confident"]
    compares: ClassVar = "nothing"
    scores: ClassVar = (CONFIDENCE,)


class ClassBalanced(RuleKind):
    """Labelled candidates: as many of each class as the reference has, drawn at random within it."""

    kind: Literal["class-balanced"]
    compares: ClassVar = "potential"
    reads_labels: ClassVar = True


class Dsbr(RuleKind):
    """Labelled candidates: drawn in inverse proportion to how often their label was given lately.

    The weight is 1 / (C x running share of the label), as in DSBR's loss; the running share takes in one
    batch of candidates after another.
    """

    kind: Literal["dsbr"]
    compares: ClassVar = "nothing"
    reads_labels: ClassVar = True
    batch: Annotated[int, Field(ge=1)] = 32
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9


class ConfidentHerding(RuleKind):
    """Labelled candidates: among the surest of each class (half of it), the subset nearest the reference."""

    kind: Literal["confident-herding"]
    compares: ClassVar = "potential"
    reads_labels: ClassVar = True
    scores: ClassVar = (CONFIDENCE,)
    keep: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
