# SPDX-License-Identifier: Apache-2.0
"""Documents as bags of hashed words: numbers on which selection bias can be studied, not a language model.

A document becomes a fixed number of columns: each word adds 1 or takes 1 from the column that a public hash
names, and the row is scaled to length 1. Nothing is fitted, so every silo gets the same columns without
anybody's words being shared. Order and sense of the words are lost, several words share a column, and a
generator's samples are such vectors: they cannot be turned back into sentences.
"""

from collections.abc import Sequence

import numpy as np

from tailweave.clients.data.documents import Document, read_documents
from tailweave.clients.samples import DataError, Numbers, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.hashed_text import HashedText


def as_hashed_words(found: Sequence[Document], columns: int) -> Samples:
    """Hash the words of documents into columns.

    Args:
        found: One document or more.
        columns: Number of columns p, at least 2.

    Returns:
        A row a document, of Euclidean length 1. Words are two or more letters, digits or underscores in a
        row, in small letters.

    Raises:
        DataError: Naming the first document without a word.

    Source:
        Weinberger et al. (2009), Feature Hashing for Large Scale Multitask Learning, ICML: eq. (1), signed
        hashes.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # slow to import

    words = HashingVectorizer(n_features=columns, norm="l2", alternate_sign=True)
    values = words.transform([document.text for document in found]).toarray()  # (n, p)
    wordless = np.flatnonzero(~values.any(axis=1))
    if len(wordless):
        where = found[wordless[0]].where
        raise DataError(f"{where}: found no word of two letters or more, allowed: documents with words")
    labels = None if found[0].label is None else np.array([document.label for document in found])
    names = tuple(f"words{place}" for place in range(columns))
    return Samples.of(values.astype(np.float64), labels, Numbers(names, hashed=True))


@implements(HashedText)
def load(spec: HashedText, *, seed: int) -> Samples:
    """Read all documents."""
    return as_hashed_words(read_documents(spec.path, column=spec.text_column, label=spec.label), spec.columns)
