# SPDX-License-Identifier: Apache-2.0
"""The non-Gaussian families of arXiv 2606.13732."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.studies.base import Seeds, Share, Sizes, Some, StudyKind

Family = Literal["anisotropic", "gmm", "unequal-gmm", "laplace"]
FAMILIES: tuple[Family, ...] = ("anisotropic", "gmm", "unequal-gmm", "laplace")


class FamiliesSpec(StudyKind):
    """Non-Gaussian families; the models of every ``judge-every``-th generation are judged."""

    study: Literal["families"]
    title: ClassVar = "Non-Gaussian families, published against reproduced"
    seeds: Seeds = (42, 123, 456, 789, 2024)
    families: Annotated[tuple[Family, ...], Some] = FAMILIES
    samples: Sizes = (100, 300, 500)
    alpha: Share = 0.05
    dimensions: Annotated[int, Field(ge=2)] = 10
    generations: Annotated[int, Field(ge=1)] = 200
    judge_every: Annotated[int, Field(ge=1)] = 10

    @model_validator(mode="after")
    def _last_is_judged(self) -> Self:
        if self.generations % self.judge_every:
            raise ValueError(
                f"judge-every must divide generations = {self.generations}, got {self.judge_every}"
            )
        return self
