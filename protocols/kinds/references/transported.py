# SPDX-License-Identifier: Apache-2.0
"""The references of arXiv 2606.13732, for which silos hand out projections of rows."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.references.base import ReferenceKind, SummarisedReference


class TransportedReference(ReferenceKind):
    """What both kinds share for which silos map a support onto their rows; no kind of its own.

    No noise is added, and the server runs rounds of their own: other packages cannot bring such a kind.

    ``support`` is the number of atoms, ``entropic_reg`` is in units of the cost |x - y|^2, ``weights`` says
    whether silos count alike or by the bucket of rows that they name in ``hello``.
    """

    sees: ClassVar = "releases"
    leaks: ClassVar = (
        "reveals projections of real rows: with as many support atoms as a silo has rows, one message gives "
        "away 100 % of them (to 1e-6, exact transport), with more atoms a third to all, with fewer means of "
        "a few rows; and no noise is added"
    )
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

    @property
    def share(self) -> float:
        """Share of the way to its rows that a silo moves an atom."""
        return 1.0


class GeodesicReference(TransportedReference):
    """Scheme I: one measure a silo, between public samples and its rows; reveals projections of real rows.

    FedWaD (arXiv 2310.01973): ``rounds`` exchanges bring the support to the share ``interpolation`` of the
    way from public samples to the silo's rows.
    """

    kind: Literal["geodesic"]
    server_side: ClassVar = frozenset({"rounds", "weights"})
    interpolation: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    rounds: Annotated[int, Field(ge=1, le=1000)] = 10

    @property
    def share(self) -> float:
        """As configured."""
        return self.interpolation


class BarycenterReference(TransportedReference):
    """Scheme II: the silos' free-support W2 barycenter; reveals projections of real rows.

    ``iterations`` is the most; it stops sooner when the support no longer moves.
    """

    kind: Literal["barycenter"]
    server_side: ClassVar = frozenset({"iterations", "weights"})
    iterations: Annotated[int, Field(ge=1, le=1000)] = 10


WovenReference = SummarisedReference | TransportedReference
"""References that a server makes of what silos release."""
