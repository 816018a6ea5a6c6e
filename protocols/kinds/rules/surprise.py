# SPDX-License-Identifier: Apache-2.0
"""Rules that keep what surprises the generator, or what does not."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.rules.base import SURPRISE, RuleKind


class Surplexity(RuleKind):
    """The candidates that the generator itself finds least likely (most surprising)."""

    kind: Literal["surplexity"]
    compares: ClassVar = "nothing"
    scores: ClassVar = (SURPRISE,)
    keeps_surprise: ClassVar = True
    implemented_in: ClassVar = "surprise"


class LowPerplexity(RuleKind):
    """The candidates that the generator itself finds most likely."""

    kind: Literal["low-perplexity"]
    compares: ClassVar = "nothing"
    scores: ClassVar = (SURPRISE,)
    implemented_in: ClassVar = "surprise"


class GatedHerding(RuleKind):
    """Of the ``gate`` x n candidates that surprise the generator most, the subset nearest the reference.

    Surplexity alone keeps tails of all kinds, herding alone does not see surprise. For generators that draw
    at a temperature below 1: at 1 a model's own noise surprises it more than human text does, and the gate
    keeps noise.
    """

    kind: Literal["gated-herding"]
    compares: ClassVar = "potential"
    scores: ClassVar = (SURPRISE,)
    keeps_surprise: ClassVar = True
    gate: Annotated[float, Field(ge=1.0, le=1000.0)] = 2.0
