# SPDX-License-Identifier: Apache-2.0
"""The threshold decay filter of arXiv 2509.16499."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.rules.base import RuleKind


class ThresholdDecay(RuleKind):
    """Candidates far from all kept so far, by a threshold that decays.

    ``start`` and ``end`` are in feature units; the published values are the defaults.
    """

    kind: Literal["threshold-decay"]
    compares: ClassVar = "nothing"
    start: Annotated[float, Field(gt=0.0)] = 60.0
    decay: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.95
    end: Annotated[float, Field(gt=0.0)] = 1e-3

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if self.end > self.start:
            raise ValueError(f"end must be at most start = {self.start:g}, got {self.end:g}")
        return self
