# SPDX-License-Identifier: Apache-2.0
"""A data set of Hugging Face's library ``datasets``."""

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.kinds.sources.base import Assumed, FileName, ImageShape, SourceKind
from tailweave.protocols.kinds.sources.image_folder import Resize
from tailweave.protocols.sorts import SortName

Column = Annotated[str, Field(min_length=1, max_length=200)]
_FEWEST = 20


class Hub(SourceKind):
    """A data set for Hugging Face's library ``datasets`` (extra ``hub``): a local folder, or owner/name.

    One of ``image-column`` (with ``image``: [channels, height, width], and ``resize`` as for image-folder),
    ``text-column`` or ``columns`` (numbers) says what a sample is; ``label`` is the column of classes.
    ``evaluation_split`` is the held-out truth (null: a random ``evaluation_fraction`` of ``split``);
    ``rows`` and ``evaluation_rows`` keep a random share of each (null: all). No code of a data set is run.
    """

    source: Literal["hub"]
    path: FileName
    configuration: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    split: Annotated[str, Field(min_length=1, max_length=200)] = "train"
    evaluation_split: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    image_column: Column | None = None
    image: ImageShape | None = None
    resize: Resize = "refuse"
    text_column: Column | None = None
    columns: tuple[Column, ...] = ()
    label: Column | None = None
    standardize: bool = True
    rows: Annotated[int, Field(ge=_FEWEST)] | None = None
    evaluation_rows: Annotated[int, Field(ge=_FEWEST)] | None = None

    @model_validator(mode="after")
    def _one_sort(self) -> Self:
        given = [self.image_column is not None, self.text_column is not None, bool(self.columns)]
        if sum(given) != 1:
            raise ValueError("source: hub needs one of image-column, text-column and columns")
        if (self.image is None) != (self.image_column is None):
            raise ValueError("image-column and image belong together: image is [channels, height, width]")
        if len(set(self.columns)) < len(self.columns) or self.label in self.columns:
            raise ValueError(
                f"columns and label must differ, got {', '.join((*self.columns, str(self.label)))}"
            )
        if self.evaluation_rows is not None and self.evaluation_split is None:
            raise ValueError("evaluation-rows needs evaluation-split")
        return self

    @property
    def sample_columns(self) -> tuple[str, ...]:
        """Columns that make a sample."""
        return tuple(name for name in (self.image_column, self.text_column, *self.columns) if name)

    @property
    def image_shape(self) -> ImageShape | None:
        """As given."""
        return self.image

    @property
    def gives(self) -> SortName:
        """As its columns are."""
        return "text" if self.text_column is not None else "image" if self.image is not None else "numbers"

    @property
    def columns_named(self) -> bool:
        """As a table's are."""
        return bool(self.columns)

    @property
    def label_column(self) -> str | None:
        """As given."""
        return self.label

    @property
    def scaled_to_truth(self) -> bool:
        """As given, for a table."""
        return self.standardize and bool(self.columns)

    def assumed(self, samples: int) -> Assumed:
        """Count on as many rows as are asked for, or as a generation has samples."""
        columns = math.prod(self.image) if self.image else max(1, len(self.columns))
        rows = self.rows or samples
        return Assumed(columns, rows, self.evaluation_rows or round(rows * self.evaluation_fraction))

    def anchored(self, folder: Path) -> Self:
        """Return the same with a path that is a folder there; else it may be a name on the hub."""
        place = folder / Path(self.path).expanduser()
        return self.model_copy(update={"path": str(place.resolve())}) if place.is_dir() else self
