# SPDX-License-Identifier: Apache-2.0
"""What every data source says of itself."""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import Field

from tailweave.protocols.config.base import Spec
from tailweave.protocols.sorts import SortName

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
FileName = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=4096)]
ImageShape = tuple[Literal[1, 3], Side, Side]
"""Channels, height, width."""


_HELD_OUT = 0.4


class Assumed(NamedTuple):
    """What a source counts on where its data are not there."""

    columns: int
    rows: int
    evaluation: int


class AnySource(Spec):
    """Where the rows of a simulation come from; the docstring's first paragraph stands in ``tailweave list``.

    ``implemented_in`` names the file in ``clients/data`` that reads them, if it is not the source's own name.
    """

    source: str
    implemented_in: ClassVar[str | None] = None

    @property
    def held_out_share(self) -> float:
        """Share of the rows that is held out as the truth, where the data's own authors hold out none."""
        return _HELD_OUT

    @property
    def image_shape(self) -> ImageShape | None:
        """Shape of an image where rows are images, else None."""
        return None

    @property
    def gives(self) -> SortName:
        """Sort of the samples."""
        return "numbers" if self.image_shape is None else "image"

    @property
    def columns_named(self) -> bool:
        """Whether columns have names by which silos' own tables are matched."""
        return False

    @property
    def label_column(self) -> str | None:
        """Column that holds classes, where a table has one."""
        return None

    @property
    def scaled_to_truth(self) -> bool:
        """Whether columns are standardized by all rows, which no silo can do by its own."""
        return False

    @property
    def word_columns(self) -> int | None:
        """Columns that words are hashed to, where rows are documents."""
        return None

    @property
    def declared_digest(self) -> str | None:
        """Digest of what columns are declared to be, where they are."""
        return None

    def assumed(self, samples: int) -> Assumed | None:
        """Return what to count on where the data are not there; None where nobody knows.

        Args:
            samples: ``recursion.samples``.
        """
        return None

    def anchored(self, folder: Path) -> Self:
        """Return the same with relative paths taken from ``folder``, that of the experiment; not ``~``."""
        given = {key: getattr(self, key, None) for key in ("path", "labels")}
        there = {key: os.path.expanduser(path) for key, path in given.items() if path}
        moved = {
            key: path if Path(path).is_absolute() else str((folder / path).resolve())
            for key, path in there.items()
        }
        return self.model_copy(update=moved)


class SourceKind(AnySource):
    """A source of which a random share is held out as the truth that generations are measured against."""

    evaluation_fraction: Fraction = _HELD_OUT

    @property
    def held_out_share(self) -> float:
        """As given."""
        return self.evaluation_fraction
