# SPDX-License-Identifier: Apache-2.0
"""Reference ``quantized``."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.references.base import SummarisedReference


class QuantizedReference(SummarisedReference):
    """K-means centroids with counts and diagonal variances, woven into one mixture."""

    kind: Literal["quantized"]
    server_side: ClassVar = frozenset({"samples"})
    clustered: ClassVar = True
    clusters: Annotated[int, Field(ge=1, le=4096)] = 32
    samples: Annotated[int, Field(ge=10, le=100_000)] = 2000

    @property
    def described(self) -> str:
        """With the most clusters."""
        return f"quantized, {self.clusters} clusters"

    @property
    def bounded(self) -> tuple[str, ...]:
        """Its clusters."""
        return ("clusters",)
