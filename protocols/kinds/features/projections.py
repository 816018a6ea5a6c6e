# SPDX-License-Identifier: Apache-2.0
"""Maps onto fewer columns."""

from typing import Literal

from tailweave.protocols.kinds.features.base import Dimensions, FeaturesKind


class _Reducing(FeaturesKind):
    dimensions: Dimensions

    @property
    def reduces_to(self) -> int:
        """As given."""
        return self.dimensions


class Pca(_Reducing):
    """Principal axes of public samples."""

    kind: Literal["pca"]


class RandomProjection(_Reducing):
    """A public random projection."""

    kind: Literal["random-projection"]
