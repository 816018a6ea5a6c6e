# SPDX-License-Identifier: Apache-2.0
"""Rule ``threshold-decay``: keep candidates that are far from all kept so far; the threshold decays."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.threshold import ThresholdDecay

PUBLISHED = ThresholdDecay(kind="threshold-decay")


@implements(ThresholdDecay)
def rule(spec: ThresholdDecay, candidates: Candidates, reference: object, rng: Generator) -> Ints:
    """As the contract says; see ``threshold_decay``."""
    return threshold_decay(candidates.features, candidates.count, rng=rng, spec=spec)


def threshold_decay(
    candidates: Floats, count: int, *, rng: Generator, spec: ThresholdDecay = PUBLISHED
) -> Ints:
    """Pass over the candidates in random order and accept those farther than tau from all accepted.

    The first in order is accepted. A pass that added nothing makes tau, at first 60, 0.95 tau. No reference
    is used. Candidates that are not apart by tau = 1e-3, where the published rule stops short of n, fill
    what is missing in the order of the passes.

    Args:
        candidates: Features, shape (N, d). Tau is in feature units: where most distances exceed 60 the rule
            picks at random.
        count: n <= N.
        rng: Stream of the order.
        spec: Where tau starts and ends, and how it decays.

    Returns:
        Indices in order of picking, shape (n,).

    Raises:
        ValueError: If n is not in 1..N or candidates are not finite.

    Source:
        Threshold decay filter of Shi et al. (2025), arXiv 2509.16499, with the constants of arXiv 2606.13732.
    """
    x = matrix(candidates, "candidates")
    check_count(count, len(x))
    order = rng.permutation(len(x))
    picks = _passes(x[order], count, spec)
    rest = np.setdiff1d(np.arange(len(x)), picks)
    return order[np.append(picks, rest)[:count]]


def _passes(x: Floats, count: int, spec: ThresholdDecay) -> Ints:
    """Return positions in the order of acceptance, at most ``count``; fewer where tau ran out.

    Distances to the accepted only fall, so a candidate that a pass refused need not be looked at again
    before tau decays: it is enough to jump to the next one that is far enough.
    """
    picks = [0]
    nearest = _gaps(x, 0)
    tau = spec.start
    while len(picks) < count and tau >= spec.end:
        start, added = 0, False
        while len(picks) < count:
            far = np.flatnonzero(nearest[start:] > tau)
            if len(far) == 0:
                break
            start += int(far[0])
            picks.append(start)
            nearest = np.minimum(nearest, _gaps(x, start))
            added = True
        tau = tau if added else tau * spec.decay
    return np.array(picks, dtype=np.int64)


def _gaps(x: Floats, index: int) -> Floats:
    gaps: Floats = np.linalg.norm(x - x[index], axis=1)
    return gaps
