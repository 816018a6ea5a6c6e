# SPDX-License-Identifier: Apache-2.0
"""Rule ``lexical-entropy``: keep the documents whose words are most evenly spread.

Source: arXiv 2410.12341, filter LANG of its public code. Its stop words are NLTK's, here scikit-learn's. Only
English words are meant: what is no letter from a to z is dropped.
"""

import numpy as np
from numpy.random import Generator

from tailweave.clients.metrics.text.words import lexical_entropies
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.text import LexicalEntropy


@implements(LexicalEntropy)
def rule(spec: LexicalEntropy, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """Keep the n documents of highest ``lexical_entropies``; indices ascending, ties go to the lower one."""
    check_count(candidates.count, len(candidates))
    entropies = lexical_entropies(candidates.samples.values.tolist())
    return np.sort(np.argsort(-entropies, kind="stable")[: candidates.count])
