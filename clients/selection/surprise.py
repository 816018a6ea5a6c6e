# SPDX-License-Identifier: Apache-2.0
"""Rules ``surplexity`` and ``low-perplexity``: score-and-cut on how unlikely the generator finds a candidate.

Source: arXiv 2410.12341, of texts under a language model; here of any sample under its generator.
"""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.base import SURPRISE
from tailweave.protocols.kinds.rules.surprise import LowPerplexity, Surplexity


@implements(Surplexity, LowPerplexity)
def rule(spec: Surplexity | LowPerplexity, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """Keep the n most or least surprising; indices ascending, ties go to the lower one."""
    check_count(candidates.count, len(candidates))
    surprise = candidates.score(SURPRISE)
    order = np.argsort(-surprise if spec.kind == "surplexity" else surprise, kind="stable")
    return np.sort(order[: candidates.count])
