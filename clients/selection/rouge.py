# SPDX-License-Identifier: Apache-2.0
"""Rule ``rouge``: keep the documents that share most words with one document of the reference.

Source: RougeFilter of the public code of arXiv 2606.13732, which stems words first; here they are not.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from sklearn.feature_extraction.text import CountVectorizer

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.text import Rouge

_BLOCK = 1_000_000
"""Pairs of documents that are compared at once (40 MB)."""
_WORD = re.compile(r"[a-z0-9]+")


@implements(Rouge)
def rule(spec: Rouge, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """Keep the n documents of highest ``rouge_1``; indices ascending, ties go to the lower one.

    A real candidate that the reference was made of is its own best match: 1.

    Raises:
        ValueError: If n is not in 1..N, or there are no samples to compare with.
    """
    check_count(candidates.count, len(candidates))
    if candidates.compared is None:
        raise ValueError(f"rule {spec.kind} reads the samples of its reference, got none")
    compared = candidates.compared.values.tolist()
    found = rouge_1(candidates.samples.values.tolist(), compared)
    return np.sort(np.argsort(-found, kind="stable")[: candidates.count])


def rouge_1(documents: Sequence[str], references: Sequence[str]) -> Floats:
    r"""Highest ROUGE-1 F of each document over all references, without stemming.

    .. math:: F = \max_r \frac{2 \sum_w \min(c_w, r_w)}{\sum_w c_w + \sum_w r_w}

    with c_w and r_w the counts of word w: the harmonic mean of precision and recall of single words. The
    minimum is a product: if the k-th "the" of a document is a word of its own, "the" number k, a pair shares
    as many different words as the sum says.

    Args:
        documents: N of them. Words are runs of a to z and 0 to 9, in small letters.
        references: R of them.

    Returns:
        Shape (N,), in [0, 1]; 0 for a document without words, and where no reference has any.

    Source:
        Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries, section 2, for n = 1.
    """
    words, held = [_numbered(text) for text in documents], [_numbered(text) for text in references]
    best = np.zeros(len(words))
    if not any(held):
        return best
    counter = CountVectorizer(analyzer=list, binary=True, dtype=np.int32)
    columns = counter.fit_transform(held).T.tocsc()  # (V, R); words of no reference are in no overlap
    rows = counter.transform(words)  # (N, V)
    lengths = np.array([len(text) for text in held])
    step = max(1, _BLOCK // len(held))
    for start in range(0, len(words), step):
        block = slice(start, start + step)
        shared = (rows[block] @ columns).toarray()  # (b, R)
        total = np.array([len(text) for text in words[block]])[:, None] + lengths
        best[block] = (2.0 * shared / np.maximum(total, 1)).max(axis=1)
    return best


def _numbered(text: str) -> list[tuple[str, int]]:
    """Return words, each with how often it stood before."""
    seen: Counter[str] = Counter()
    numbered = []
    for word in _WORD.findall(text.lower()):
        numbered.append((word, seen[word]))
        seen[word] += 1
    return numbered
