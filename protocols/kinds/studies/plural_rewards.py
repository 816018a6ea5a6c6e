# SPDX-License-Identifier: Apache-2.0
"""The plural rewards of arXiv 2605.07724."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.kinds.studies.base import Seeds, Some, StudyKind

Weights = Annotated[tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...], Some]
Positive = Annotated[float, Field(gt=0.0, le=12.0)]
SeveralPositive = Annotated[tuple[Positive, ...], Some]
_SUM = 1e-9


class PluralRewardsSpec(StudyKind):
    """Curation of a model's own samples by several preferences: which modes last, in theory and in practice.

    Preference i, a silo's, is asked for a share ``weights`` of the choices, and likes best the i-th of places
    ``separation`` apart on a line, with reward -(distance)^2. One of K ``candidates`` is kept, for each K
    given. ``points`` make up the exact grid on [-6, 6]. What follows is for two preferences, and left out
    where there are others: the limit of many candidates, ``steps`` on the grid at ``separations``; that of
    plateau rewards with ``gaps``; and with a place that both like less than their best by ``losses``.
    """

    study: Literal["plural-rewards"]
    title: ClassVar = "Plural rewards, published against reproduced"
    seeds: Seeds = (0, 1, 2, 3, 4)
    weights: Weights = (0.3, 0.7)
    separation: Positive = 3.0
    candidates: Annotated[tuple[Annotated[int, Field(ge=2, le=1000)], ...], Some] = (
        2,
        3,
        5,
        20,
    )
    samples: Annotated[int, Field(ge=20, le=100_000)] = 1000
    generations: Annotated[int, Field(ge=1)] = 50
    generator: Annotated[GaussianSpec | GaussianMixtureSpec, Field(discriminator="kind")] = (
        GaussianMixtureSpec(kind="gaussian-mixture", components=2)
    )
    points: Annotated[int, Field(ge=21, le=5001)] = 1201
    steps: Annotated[int, Field(ge=1)] = 5000
    separations: SeveralPositive = (2.0, 3.0, 4.0, 5.0)
    gaps: SeveralPositive = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
    losses: SeveralPositive = (0.3, 1.0)

    @field_validator("weights")
    @classmethod
    def _weights_are_shares(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(weights) - 1.0) > _SUM:
            raise ValueError(f"must sum to 1, got {list(weights)}, which sum to {sum(weights):g}")
        return weights

    @model_validator(mode="after")
    def _fits(self) -> Self:
        reach = (len(self.weights) - 1) * self.separation / 2
        if reach > 6.0:
            raise ValueError(
                f"separation must leave all {len(self.weights)} places in [-6, 6], got {self.separation:g}"
            )
        if self.generator.fewest_rows[0] > self.samples:
            raise ValueError(
                f"generator.components must be at most samples = {self.samples}, got "
                f"{self.generator.fewest_rows[0]}"
            )
        if self.generator.start != "shared":
            raise ValueError("generator.start does not count here: the first model is fitted on uniform rows")
        return self
