# SPDX-License-Identifier: Apache-2.0
"""Rule ``threshold-decay``: keep candidates that are far from all kept so far; the threshold decays."""

import numpy as np

from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints, matrix

START, DECAY, END = 60.0, 0.95, 1e-3


def threshold_decay(candidates: Floats, count: int, *, rng: np.random.Generator) -> Ints:
    """Pass over the candidates in random order and accept those farther than tau from all accepted.

    The first in order is accepted. After a pass that added nothing, tau = 60 becomes 0.95 tau. No reference
    is used. Candidates that are not apart by tau = 1e-3, where the published rule stops short of n, fill
    what is missing in the order of the passes.

    Args:
        candidates: Features, shape (N, d). Tau is in feature units: where most distances exceed 60 the rule
            picks at random.
        count: n <= N.
        rng: Stream of the order.

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
    picks = _passes(x[order], count)
    rest = np.setdiff1d(np.arange(len(x)), picks)
    return order[np.append(picks, rest)[:count]]


def _passes(x: Floats, count: int) -> Ints:
    """Return positions in the order of acceptance, at most ``count``; fewer where tau ran out.

    Distances to the accepted only fall, so a candidate that a pass refused need not be looked at again
    before tau decays: it is enough to jump to the next one that is far enough.
    """
    picks = [0]
    nearest = _gaps(x, 0)
    tau = START
    while len(picks) < count and tau >= END:
        start, added = 0, False
        while len(picks) < count:
            far = np.flatnonzero(nearest[start:] > tau)
            if len(far) == 0:
                break
            start += int(far[0])
            picks.append(start)
            nearest = np.minimum(nearest, _gaps(x, start))
            added = True
        tau = tau if added else tau * DECAY
    return np.array(picks, dtype=np.int64)


def _gaps(x: Floats, index: int) -> Floats:
    gaps: Floats = np.linalg.norm(x - x[index], axis=1)
    return gaps
