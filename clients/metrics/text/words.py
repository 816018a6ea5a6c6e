# SPDX-License-Identifier: Apache-2.0
"""How varied the words of documents are: entropy, types, distinct n-grams, repetition.

All are defined for any text: a document without words counts as 0, and so does a sample without documents.
They are for English: cleaning keeps the letters a to z alone.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from tailweave.protocols.arrays import Floats

DOCUMENTS = 300
"""Most documents of a sample in which distinct n-grams, or links of words, are counted: both grow with it."""
REPEATED = 4
"""Words in a row that count as repeated."""
_NO_LETTER = re.compile(r"[^a-zA-Z ]")
_WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")


def cleaned(document: str) -> list[str]:
    """Return the words of a document that carry content: small letters, without English stop words.

    Stop words are dropped, then whatever is no letter from a to z, then what has become a stop word by that.

    Source:
        arXiv 2410.12341, public code of its linguistic measures. The authors' stop words are NLTK's list,
        these are scikit-learn's, 318 of them.
    """
    kept = " ".join(word for word in document.lower().split() if word not in ENGLISH_STOP_WORDS)
    return [word for word in _NO_LETTER.sub("", kept).split() if word not in ENGLISH_STOP_WORDS]


def spoken(document: str) -> list[str]:
    """Return all words of a document in small letters, each other mark as a word of its own.

    So a text that has become a loop of full stops or brackets is seen to repeat itself.
    """
    return _WORD_OR_MARK.findall(document.lower())


def normalised_entropy(words: Sequence[str]) -> float:
    r"""Entropy of the words of one document, over the most that as many words could have.

    .. math:: \frac{-\sum_w p_w \log_2 p_w}{\log_2 t}, \quad p_w = t_w / t

    Args:
        words: t of them, of which t_w are w.

    Returns:
        0 (one word over and over, or at most one word) to 1 (all differ).

    Source:
        arXiv 2410.12341, public code, lexical entropy.
    """
    count = len(words)
    if count < 2:
        return 0.0
    shares = [found / count for found in Counter(words).values()]
    return max(0.0, -sum(share * math.log2(share) for share in shares) / math.log2(count))


def lexical_entropies(documents: Sequence[str]) -> Floats:
    """Return ``normalised_entropy`` of the cleaned words of each document, shape (n,)."""
    return np.array([normalised_entropy(cleaned(text)) for text in documents], dtype=np.float64)


def lexical_entropy(documents: Sequence[str]) -> float:
    """Return the mean of ``lexical_entropies``, 0 to 1 (up to rounding)."""
    return _mean(lexical_entropies(documents).tolist())


def type_token_ratio(documents: Sequence[str]) -> float:
    """Mean over documents of different words over words, after cleaning.

    It falls with the length of a document, whatever its style, as new words become rarer (Heaps' law):
    compare documents of equal length.

    Args:
        documents: n of them.

    Returns:
        0 (no words) to 1 (all words of each document differ).

    Source:
        arXiv 2410.12341, public code, TTR.
    """
    words = [cleaned(text) for text in documents]
    return _mean([len(set(text)) / len(text) if text else 0.0 for text in words])


def distinct_n(documents: Sequence[str], n: int) -> float:
    """Different n-grams of words over all n-grams, over a whole sample.

    It falls with the size of the sample, so at most 300 documents are counted, spread evenly over it: samples
    of 300 or more compare, if their documents are of equal length.

    Args:
        documents: Any number of them.
        n: Words in a row, at least 1; two are usual.

    Returns:
        Near 0 (the same loop of words over and over) to 1 (no n-gram stands twice); 0 if there is none.

    Raises:
        ValueError: If ``n`` is below 1.

    Source:
        Li et al. (2016), A Diversity-Promoting Objective Function, NAACL: distinct-1 and distinct-2.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    found = [gram for text in some(documents) for gram in _grams(spoken(text), n)]
    return len(set(found)) / len(found) if found else 0.0


def repetition(documents: Sequence[str]) -> float:
    """Mean over documents of the share of 4-grams of words that stood before in the same document.

    Args:
        documents: n of them.

    Returns:
        0 (none did) to almost 1 (one loop of words); a document of fewer than five words counts as 0.

    Source:
        1 - distinct-4 within a document: seq-rep-4 of Welleck et al. (2020), arXiv 1908.04319, section 6.
    """
    found = [_grams(spoken(text), REPEATED) for text in documents]
    return _mean([1.0 - len(set(grams)) / len(grams) if grams else 0.0 for grams in found])


def of_words(documents: Sequence[str]) -> dict[str, float]:
    """Return the four measures of words under the names of their metrics."""
    return {
        "lexical_entropy": lexical_entropy(documents),
        "type_token_ratio": type_token_ratio(documents),
        "distinct_2": distinct_n(documents, 2),
        "repetition": repetition(documents),
    }


def some(documents: Sequence[str]) -> list[str]:
    """Return at most 300 documents, spread evenly: fair whether they come shuffled or sorted."""
    count = min(len(documents), DOCUMENTS)
    return [documents[at] for at in np.linspace(0, len(documents) - 1, count).round().astype(int)]


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(n)), strict=False))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
