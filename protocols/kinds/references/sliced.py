# SPDX-License-Identifier: Apache-2.0
"""Reference ``sliced``."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.references.base import SummarisedReference


class SlicedReference(SummarisedReference):
    """A linear sketch of one-dimensional projections; ``range`` is the half-width in public scale units."""

    kind: Literal["sliced"]
    points: ClassVar = False
    server_side: ClassVar = frozenset({"aggregate"})
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

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (L, J) or (L, B) of a sketch."""
        return self.directions, self.coefficients if self.basis == "cosine" else self.bins

    @property
    def described(self) -> str:
        """With its basis and the shape of a sketch."""
        return f"sliced {self.basis}, {self.directions} x {self.shape[1]}"

    @property
    def bounded(self) -> tuple[str, ...]:
        """Those that its basis uses."""
        return ("directions", "coefficients" if self.basis == "cosine" else "bins")

    @property
    def numbers_a_candidate(self) -> int:
        """The basis functions of its projections, or the projections."""
        return self.directions * (self.coefficients if self.basis == "cosine" else 1)

    @property
    def unsummable(self) -> str | None:
        """Sketches add up; quantiles do not."""
        return None if self.aggregate == "mixture" else f"aggregate: {self.aggregate}"

    @property
    def unnoised(self) -> str | None:
        """Histograms that are to be averaged as quantiles."""
        if self.aggregate == "mixture":
            return None
        return "noised histograms have no quantiles, use aggregate: mixture"
