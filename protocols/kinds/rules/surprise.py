# SPDX-License-Identifier: Apache-2.0
"""Rules that keep what surprises the generator, or what does not."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.rules.base import SURPRISE, RuleKind


class Surplexity(RuleKind):
    """The candidates that the generator itself finds least likely (most surprising)."""

    kind: Literal["surplexity"]
    compares: ClassVar = "nothing"
    scores: ClassVar = (SURPRISE,)
    implemented_in: ClassVar = "surprise"


class LowPerplexity(RuleKind):
    """The candidates that the generator itself finds most likely."""

    kind: Literal["low-perplexity"]
    compares: ClassVar = "nothing"
    scores: ClassVar = (SURPRISE,)
    implemented_in: ClassVar = "surprise"
