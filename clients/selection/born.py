# SPDX-License-Identifier: Apache-2.0
"""Rules ``fresh`` and ``last-generation``: random ones among the real or the newest candidates.

Source: arXiv 2410.12341, filters FRESH and SYNLAST of its public code, on a pool of real and all synthetic
documents; here of any sample.
"""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.born import Fresh, LastGeneration

_REAL = 0


@implements(Fresh)
def fresh(spec: Fresh, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """Draw n of the real candidates; raises ``ValueError`` where there are fewer."""
    change = "lower recursion.samples, or give each silo as many training samples"
    return _drawn(spec.kind, candidates, _REAL, change, rng)


@implements(LastGeneration)
def last_generation(spec: LastGeneration, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """Draw n of the candidates that were born last; raises ``ValueError`` where there are fewer.

    With a count per class that is the newest generation of all classes: one that it lacks is not looked for
    in older ones.
    """
    change = "lower recursion.samples, or raise candidates-per-sample"
    return _drawn(spec.kind, candidates, candidates.newest, change, rng)


def _drawn(rule: str, candidates: Candidates, generation: int, change: str, rng: Generator) -> Ints:
    """Return n random ones of a generation, indices ascending."""
    check_count(candidates.count, len(candidates))
    found = np.flatnonzero(candidates.samples.born == generation)
    if len(found) < candidates.count:
        which = "real candidates" if generation == _REAL else f"candidates born in generation {generation}"
        raise ValueError(
            f"rule {rule} must pick {candidates.count} of the {which}, there are {len(found)}: {change}"
        )
    return np.sort(rng.choice(found, size=candidates.count, replace=False))
