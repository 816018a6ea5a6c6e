# SPDX-License-Identifier: Apache-2.0
"""Rule ``class-balanced``: as many candidates of each class as the reference has."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.data.apportion import apportion
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.labels import ClassBalanced
from tailweave.protocols.references import Reference


@implements(ClassBalanced)
def rule(spec: ClassBalanced, candidates: Candidates, reference: Reference, rng: Generator) -> Ints:
    """Draw at random within each class; see ``counts``."""
    check_count(candidates.count, len(candidates))
    order = rng.permutation(len(candidates))
    codes = candidates.class_codes[order]
    shares = candidates.shares(reference)
    wanted = counts(np.bincount(codes[codes >= 0], minlength=len(shares)), shares, candidates.count)
    picks = [order[codes == code][:count] for code, count in enumerate(wanted)]
    found: Ints = np.concatenate(picks)
    rest = np.setdiff1d(order, found, assume_unique=True)[: candidates.count - len(found)]  # of no class
    return np.concatenate([found, rest])


def counts(available: Ints, shares: Floats, count: int) -> Ints:
    """Return how many of each class are picked: in proportion to shares, as far as there are so many.

    What a class lacks the others make up for, in proportion to their shares.

    Args:
        available: Candidates of each class, shape (C,).
        shares: Wanted share of each class, shape (C,), positive.
        count: n, at least 1.

    Returns:
        Shape (C,), at most ``available``; sums to n, or to all that there are.
    """
    found = np.zeros(len(shares), dtype=np.int64)
    while (left := min(count, int(available.sum())) - int(found.sum())) > 0:
        open_ones = found < available
        found = np.minimum(found + apportion(left, np.where(open_ones, shares, 0.0)), available)
    return found
