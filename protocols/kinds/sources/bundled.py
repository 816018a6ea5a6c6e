# SPDX-License-Identifier: Apache-2.0
"""Data sets that scikit-learn ships."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.sources.base import ImageShape, SourceKind

DIGITS_IMAGE: ImageShape = (1, 8, 8)


class BundledData(SourceKind):
    """A data set that scikit-learn ships; ``digits`` is scaled to [0, 1], the others to unit variance."""

    source: Literal["digits", "breast-cancer", "wine"]
    implemented_in: ClassVar = "bundled"

    @property
    def image_shape(self) -> ImageShape | None:
        """Digits are images."""
        return DIGITS_IMAGE if self.source == "digits" else None
