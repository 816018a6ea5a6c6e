# SPDX-License-Identifier: Apache-2.0
"""The user's own table."""

from typing import ClassVar, Literal, Self

from pydantic import model_validator

from tailweave.protocols.kinds.sources.base import FileName, ImageShape, SourceKind


class TableData(SourceKind):
    """The user's own rows: a CSV with a header line, Parquet, or NPZ arrays ``x`` and, if any, ``y``.

    ``image`` (NPZ only) says that each row of x is an image: [channels, height, width]. Images are not
    standardized; whole numbers 0 to 255 become [0, 1].
    """

    source: Literal["csv", "npz", "parquet"]
    path: FileName
    label: str | None = None
    image: ImageShape | None = None
    standardize: bool = True
    implemented_in: ClassVar = "tables"

    @model_validator(mode="before")
    @classmethod
    def _images_stay_as_they_are(cls, raw: object) -> object:
        if isinstance(raw, dict) and raw.get("image") is not None:
            return {"standardize": False, **raw}
        return raw

    @model_validator(mode="after")
    def _images_fit(self) -> Self:
        if self.image is not None and self.source != "npz":
            raise ValueError(f"image needs source: npz or image-folder, got {self.source}")
        if self.image is not None and self.standardize:
            raise ValueError("images are not standardized: remove standardize, or image")
        return self

    @property
    def image_shape(self) -> ImageShape | None:
        """As given."""
        return self.image

    @property
    def columns_named(self) -> bool:
        """Columns of an NPZ have no names."""
        return self.source != "npz"

    @property
    def label_column(self) -> str | None:
        """As given."""
        return self.label

    @property
    def scaled_to_truth(self) -> bool:
        """As given."""
        return self.standardize
