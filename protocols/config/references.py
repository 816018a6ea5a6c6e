# SPDX-License-Identifier: Apache-2.0
"""What selection compares with: one model per reference kind, and the short form ``reference: local``."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from protocols.config.base import Spec


class LocalReference(Spec):
    """The silo's own rows; nothing leaves the silo."""

    kind: Literal["local"]


class OracleReference(Spec):
    """The truth itself; exists in simulation only."""

    kind: Literal["oracle"]


class PublicReference(Spec):
    """Generation-0 samples of the public base generator; nothing leaves the silo."""

    kind: Literal["public"]
    samples: Annotated[int, Field(ge=10, le=100_000)] = 2000


class QuantizedReference(Spec):
    """K-means centroids with counts and diagonal variances, woven into one mixture."""

    kind: Literal["quantized"]
    clusters: Annotated[int, Field(ge=1, le=4096)] = 32
    samples: Annotated[int, Field(ge=10, le=100_000)] = 2000


class SlicedReference(Spec):
    """A linear sketch of one-dimensional projections; ``range`` is the half-width in public scale units."""

    kind: Literal["sliced"]
    basis: Literal["cosine", "histogram"] = "cosine"
    directions: Annotated[int, Field(ge=1, le=8192)] = 256
    coefficients: Annotated[int, Field(ge=1, le=1024)] = 8
    bins: Annotated[int, Field(ge=2, le=4096)] = 64
    range: Annotated[float, Field(gt=0.0)] = 4.0
    aggregate: Literal["mixture", "barycenter"] = "mixture"

    @model_validator(mode="after")
    def _barycenter_needs_quantiles(self) -> Self:
        if self.aggregate == "barycenter" and self.basis != "histogram":
            raise ValueError(
                "aggregate: barycenter needs basis: histogram (a cosine sketch has no quantiles)"
            )
        return self


def _kind_alone(raw: object) -> object:
    return {"kind": raw} if isinstance(raw, str) else raw


ReferenceSpec = Annotated[
    LocalReference | OracleReference | PublicReference | QuantizedReference | SlicedReference,
    Field(discriminator="kind"),
    BeforeValidator(_kind_alone),
]
RELEASING_KINDS = ("quantized", "sliced")
"""Kinds for which every silo releases a summary; the others send nothing."""
