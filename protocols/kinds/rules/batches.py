# SPDX-License-Identifier: Apache-2.0
"""Rules that keep whole batches of candidates, in the order in which they were generated."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.rules.base import RuleKind


class FidBatches(RuleKind):
    """Whole batches (of 100), those nearest the reference in Fréchet distance."""

    kind: Literal["fid-batches"]
    batch: Annotated[int, Field(ge=2)] = 100

    @property
    def fewest(self) -> int:
        """One whole batch."""
        return self.batch


class LatentDensity(RuleKind):
    """Whole batches (of 64), those that lie densest."""

    kind: Literal["latent-density"]
    compares: ClassVar = "nothing"
    batch: Annotated[int, Field(ge=2)] = 64
    neighbours: Annotated[int, Field(ge=1)] = 4

    @property
    def fewest(self) -> int:
        """A candidate and its neighbours."""
        return self.neighbours + 1

    @model_validator(mode="after")
    def _neighbours_in_a_batch(self) -> Self:
        if self.neighbours >= self.batch:
            raise ValueError(f"neighbours must be below batch = {self.batch}, got {self.neighbours}")
        return self
