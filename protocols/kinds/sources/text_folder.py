# SPDX-License-Identifier: Apache-2.0
"""The user's own documents, as text."""

from typing import Literal

from tailweave.protocols.kinds.sources.base import Assumed, FileName, SourceKind
from tailweave.protocols.sorts import SortName


class TextFolder(SourceKind):
    """The user's own documents, as text.

    ``path`` is a folder of .txt files (the group is the sub-folder, if there are any), a .txt with a document
    a line, or a CSV whose column ``text-column`` holds documents and ``label`` their groups.
    """

    source: Literal["text-folder"]
    path: FileName
    text_column: FileName | None = None
    label: FileName | None = None

    @property
    def gives(self) -> SortName:
        """Documents."""
        return "text"

    def assumed(self, samples: int) -> Assumed:
        """Count on as many documents as a generation has samples."""
        return Assumed(1, samples, round(samples * self.evaluation_fraction))
