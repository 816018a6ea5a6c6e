# SPDX-License-Identifier: Apache-2.0
"""The user's own documents, a line each."""

from typing import Literal

from tailweave.protocols.kinds.sources.base import Assumed, FileName, SourceKind
from tailweave.protocols.sorts import SortName

DEFAULT_TEXT = "text"


class JsonLines(SourceKind):
    """The user's own documents as JSON lines (.jsonl, .jsonl.gz): an object a line.

    ``text`` is the key of the document, ``group`` that of its group, which every line then has (null: none).
    """

    source: Literal["jsonl"]
    path: FileName
    text: FileName = DEFAULT_TEXT
    group: FileName | None = None

    @property
    def gives(self) -> SortName:
        """Documents."""
        return "text"

    def assumed(self, samples: int) -> Assumed:
        """Count on as many documents as a generation has samples."""
        return Assumed(1, samples, round(samples * self.evaluation_fraction))
