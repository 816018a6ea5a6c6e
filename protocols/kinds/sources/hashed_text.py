# SPDX-License-Identifier: Apache-2.0
"""Documents as bags of hashed words."""

from typing import Annotated, Literal

from pydantic import Field

from tailweave.protocols.kinds.sources.base import Assumed, FileName, SourceKind

LEAST_TEXT_COLUMNS, MOST_TEXT_COLUMNS = 2, 4096
TextColumns = Annotated[int, Field(ge=LEAST_TEXT_COLUMNS, le=MOST_TEXT_COLUMNS)]


class HashedText(SourceKind):
    """Documents as bags of hashed words, not a language model: ``columns`` numbers each, of length 1.

    ``path`` is a folder of .txt files (the class is the sub-folder, if there are any), a .txt with a document
    a line, or a CSV whose column ``text-column`` holds documents and ``label`` their classes.
    """

    source: Literal["hashed-text"]
    path: FileName
    columns: TextColumns = 256
    text_column: FileName | None = None
    label: FileName | None = None

    @property
    def word_columns(self) -> int:
        """As given."""
        return self.columns

    def assumed(self, samples: int) -> Assumed:
        """Count on as many documents as a generation has samples."""
        return Assumed(self.columns, samples, round(samples * self.evaluation_fraction))
