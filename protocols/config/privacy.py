# SPDX-License-Identifier: Apache-2.0
"""What bounds a silo's release."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from protocols.config.base import Spec


class PrivacySpec(Spec):
    """Bounds on what a silo releases; ``epsilon: null`` adds no noise and is for simulation only.

    ``shrink`` pulls a noised reference towards the public one by the share of it that is noise.
    """

    epsilon: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-6
    min_rows: Annotated[int, Field(ge=1)] = 200
    min_cluster_size: Annotated[int, Field(ge=1)] = 10
    shrink: bool = True
    secure_aggregation: bool = False

    @model_validator(mode="after")
    def _only_what_exists(self) -> Self:
        if self.secure_aggregation:
            raise ValueError("secure-aggregation is not available in this version; use false")
        return self
