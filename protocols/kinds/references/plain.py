# SPDX-License-Identifier: Apache-2.0
"""References for which silos release nothing."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.references.base import ReferenceKind


class LocalReference(ReferenceKind):
    """The silo's own rows; nothing leaves the silo."""

    kind: Literal["local"]
    implemented_in: ClassVar = "empirical"


class OracleReference(ReferenceKind):
    """The truth itself; exists in simulation only."""

    kind: Literal["oracle"]
    implemented_in: ClassVar = "empirical"
    sees: ClassVar = "truth"


class PublicReference(ReferenceKind):
    """Generation-0 samples of the public base generator; nothing leaves the silo."""

    kind: Literal["public"]
    implemented_in: ClassVar = "empirical"
    sees: ClassVar = "public"
    samples: Annotated[int, Field(ge=10, le=100_000)] = 2000

    @property
    def public_samples(self) -> int:
        """As given."""
        return self.samples
