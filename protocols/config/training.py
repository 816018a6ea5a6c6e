# SPDX-License-Identifier: Apache-2.0
"""The generator, and the recursion that refits it on its own output."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.generators.base import GeneratorKind

Positive = Annotated[int, Field(ge=1)]
Paradigm = Literal["replace", "accumulate", "accumulate-subsample", "accumulate-select"]


GENERATORS = Family("generator", GeneratorKind, "tailweave.protocols.kinds.generators")
if TYPE_CHECKING:
    GeneratorSpec = GeneratorKind
else:
    GeneratorSpec = GENERATORS.field()


class RecursionSpec(Spec):
    """How many generations, how many samples each, and what a refit sees.

    ``replace``: the n candidates that the rule picks. ``accumulate``: those of all generations.
    ``accumulate-subsample``: n random ones of those of all generations (arXiv 2410.16713).
    ``accumulate-select``: n rows that the rule picks anew from all candidates of all generations (arXiv
    2509.16499, which calls this accumulate-subsample). With ``include-real`` the silo's own rows stand beside
    them, as the first rows of what a refit sees or is drawn from.
    """

    generations: Positive
    samples: Positive
    candidates_per_sample: Annotated[float, Field(gt=0.0)] = 4.0
    paradigm: Paradigm = "replace"
    include_real: bool = False

    @property
    def candidates(self) -> int:
        """N, the number of candidates drawn in each generation."""
        return round(self.samples * self.candidates_per_sample)

    @model_validator(mode="after")
    def _enough_candidates(self) -> Self:
        if self.candidates < self.samples:
            raise ValueError(
                f"cannot select n = {self.samples} samples from N = {self.candidates} candidates: "
                f"candidates-per-sample must be at least 1, got {self.candidates_per_sample}"
            )
        return self
