# SPDX-License-Identifier: Apache-2.0
"""What selection compares with: one model per reference kind, and the short form ``reference: local``."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tailweave.protocols.config.base import Spec


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
    range: Annotated[float, Field(ge=1e-6, le=1e6)] = 4.0
    aggregate: Literal["mixture", "barycenter"] = "mixture"

    @model_validator(mode="after")
    def _barycenter_needs_quantiles(self) -> Self:
        if self.aggregate == "barycenter" and self.basis != "histogram":
            raise ValueError(
                "aggregate: barycenter needs basis: histogram (a cosine sketch has no quantiles)"
            )
        return self


class TransportedReference(Spec):
    """What both kinds share for which silos map a support onto their rows; no kind of its own.

    ``support`` is the number of atoms, ``entropic_reg`` is in units of the cost |x - y|^2, ``weights`` says
    whether silos count alike or by the bucket of rows that they name in ``hello``.
    """

    kind: str
    support: Annotated[int, Field(ge=2, le=4000)] = 200
    transport: Literal["exact", "entropic"] = "exact"
    entropic_reg: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None
    weights: Literal["equal", "rows"] = "equal"

    @model_validator(mode="after")
    def _strength_where_needed(self) -> Self:
        if self.transport == "entropic" and self.entropic_reg is None:
            raise ValueError("transport: entropic needs entropic-reg, in units of the cost |x - y|^2")
        if self.transport == "exact" and self.entropic_reg is not None:
            raise ValueError(
                f"transport: exact has no entropic-reg: remove it or use transport: entropic, "
                f"got {self.entropic_reg:g}"
            )
        return self


class GeodesicReference(TransportedReference):
    """Scheme I: one measure a silo, between public samples and its rows; reveals projections of real rows.

    FedWaD (arXiv 2310.01973): ``rounds`` exchanges bring the support to the share ``interpolation`` of the
    way from public samples to the silo's rows.
    """

    kind: Literal["geodesic"]
    interpolation: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    rounds: Annotated[int, Field(ge=1, le=1000)] = 10


class BarycenterReference(TransportedReference):
    """Scheme II: the silos' free-support W2 barycenter; reveals projections of real rows.

    ``iterations`` is the most; it stops sooner when the support no longer moves.
    """

    kind: Literal["barycenter"]
    iterations: Annotated[int, Field(ge=1, le=1000)] = 10


def _kind_alone(raw: object) -> object:
    return {"kind": raw} if isinstance(raw, str) else raw


ReferenceSpec = Annotated[
    LocalReference
    | OracleReference
    | PublicReference
    | QuantizedReference
    | SlicedReference
    | BarycenterReference
    | GeodesicReference,
    Field(discriminator="kind"),
    BeforeValidator(_kind_alone),
]
RAW_ROW_KINDS = ("barycenter", "geodesic")
"""Kinds for which every silo answers with projections of its rows; no noise is added to them."""
RELEASING_KINDS = ("quantized", "sliced", *RAW_ROW_KINDS)
"""Kinds for which every silo releases something; for the others it sends nothing."""
POINT_KINDS = ("local", "public", "quantized", "barycenter", "geodesic", "oracle")
"""Kinds that have points; of the others there is a sketch."""
RAW_ROW_LEAK = (
    "reveals projections of real rows: with as many support atoms as a silo has rows, one message gives away "
    "100 % of them (to 1e-6, exact transport), with more atoms a third to all, with fewer means of a few "
    "rows; and no noise is added"
)
"""What these kinds leak: said when they are refused, and when they are used."""
ReleasingSpec = QuantizedReference | SlicedReference
"""References for which a silo releases one summary, in round ``summarise``."""
TransportSpec = BarycenterReference | GeodesicReference
"""References for which silos map supports onto their rows, in rounds ``transport``."""
