# SPDX-License-Identifier: Apache-2.0
"""A bag of words: how often each word stands in each document."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.samples import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_NO_WORD = re.compile(r"[^\w\s]|_")


def plain_words(document: str) -> list[str]:
    """Return the words of a document in small letters: letters and digits alone, without English stop words.

    Marks are dropped, not taken for blanks: ``don't`` is ``dont``.

    Source:
        LoreviQ, Exploring Model Collapse with Python: its tokens. There the stop words are NLTK's and words
        are lemmatised by WordNet; these are scikit-learn's 318 stop words, and words stay as they are.
    """
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = _NO_WORD.sub("", document.lower()).split()
    return [word for word in words if word not in ENGLISH_STOP_WORDS]


def bag_of_words(documents: Sequence[str]) -> "csr_matrix":
    """Count the words of each document.

    Args:
        documents: n of them.

    Returns:
        Counts, sparse, shape (n, words), a column a word that stands in any, in alphabetical order.

    Raises:
        DataError: If no document has a word.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if not any(map(plain_words, documents)):
        raise DataError("no document has a word that is no English stop word; allowed: documents with words")
    return CountVectorizer(analyzer=plain_words, dtype=np.float32).fit_transform(documents)
