# SPDX-License-Identifier: Apache-2.0
"""Modes whose masses are known."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.sources.base import SourceKind


class GaussianModes(SourceKind):
    """An analytic mixture of spherical Gaussians with known masses, some of them rare."""

    source: Literal["gaussian-modes"]
    rows: Annotated[int, Field(ge=20)] = 6000
    dimensions: Annotated[int, Field(ge=1)] = 8
    modes: Annotated[int, Field(ge=1)] = 12
    rare_modes: Annotated[int, Field(ge=0)] = 2
    rare_mass: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.01
    separation: Annotated[float, Field(gt=0.0)] = 6.0
    implemented_in: ClassVar = "modes"

    @model_validator(mode="after")
    def _masses_fit(self) -> Self:
        if self.rare_modes >= self.modes:
            raise ValueError(f"rare-modes must be below modes ({self.modes}), got {self.rare_modes}")
        if self.rare_modes * self.rare_mass >= 1.0:
            raise ValueError(
                f"rare-modes x rare-mass must be below 1, got {self.rare_modes * self.rare_mass}"
            )
        return self
