# SPDX-License-Identifier: Apache-2.0
"""What bounds a silo's release."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec

FEWEST_SILOS = 3
"""In a secure sum; with two, each reads the other's sketch off the sum."""


class PrivacySpec(Spec):
    """Bounds on what a silo releases; ``epsilon: null`` adds no noise and is for simulation only.

    ``shrink`` pulls a noised reference towards the public one by the share of it that is noise.
    ``secure_aggregation`` shows the server the sum of all sketches and no single one; each silo then adds a
    share of the noise, such that the shares of ``honest_silos`` of them make up the epsilon.
    ``allow_raw_row_leakage`` lets arms use the published references that give rows away,
    ``allow_parameter_release`` lets ``generator.start: federated`` show the server every silo's own fit.
    """

    epsilon: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-6
    min_rows: Annotated[int, Field(ge=1)] = 200
    min_cluster_size: Annotated[int, Field(ge=1)] = 10
    shrink: bool = True
    secure_aggregation: bool = False
    honest_silos: Annotated[int, Field(ge=FEWEST_SILOS)] | None = None
    allow_raw_row_leakage: bool = False
    allow_parameter_release: bool = False

    @model_validator(mode="after")
    def _masks_and_shares_go_together(self) -> Self:
        if self.secure_aggregation and self.honest_silos is None:
            raise ValueError(
                "secure-aggregation: true needs honest-silos: how many silos are sure to add their noise and "
                f"to keep it to themselves, at least {FEWEST_SILOS}"
            )
        if self.honest_silos is not None and not self.secure_aggregation:
            raise ValueError(
                f"honest-silos is for secure-aggregation: true only, got {self.honest_silos} without it"
            )
        return self
