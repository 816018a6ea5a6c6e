# SPDX-License-Identifier: Apache-2.0
"""Labelled documents in fastText's format, as the Amazon reviews of Kaggle come."""

from typing import Annotated, Literal

from pydantic import Field

from tailweave.protocols.kinds.sources.base import Assumed, FileName, SourceKind
from tailweave.protocols.sorts import SortName


class FastText(SourceKind):
    """Labelled documents in fastText's format, plain or .bz2: ``__label__2 text`` a line; labels are groups.

    Kaggle's Amazon reviews come so: 1 for one or two stars, 2 for four or five. ``rows`` reads only the first
    lines.
    """

    source: Literal["fasttext"]
    path: FileName
    rows: Annotated[int, Field(ge=2)] | None = None

    @property
    def gives(self) -> SortName:
        """Documents."""
        return "text"

    def assumed(self, samples: int) -> Assumed:
        """Count on as many documents as a generation has samples."""
        return Assumed(1, samples, round(samples * self.evaluation_fraction))
