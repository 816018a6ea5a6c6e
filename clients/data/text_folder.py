# SPDX-License-Identifier: Apache-2.0
"""Documents of a folder, of lines or of a column, as text."""

from tailweave.clients.data.documents import as_text, in_groups, read_documents
from tailweave.clients.samples import Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.text_folder import TextFolder


@implements(TextFolder)
def load(spec: TextFolder, *, seed: int) -> Samples:
    """Read all documents."""
    found = read_documents(spec.path, column=spec.text_column, label=spec.label)
    return in_groups(spec.path, as_text(found))
