# SPDX-License-Identifier: Apache-2.0
"""Rule ``gated-herding``: herd among the candidates that surprise the generator most."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.herding import Potential, nearest_subset
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.base import SURPRISE
from tailweave.protocols.kinds.rules.surprise import GatedHerding


@implements(GatedHerding)
def rule(spec: GatedHerding, candidates: Candidates, reference: Potential, rng: Generator) -> Ints:
    """As the contract says; see ``gated_herding``."""
    surprise = candidates.score(SURPRISE)
    given = reference, candidates.features, surprise, candidates.count
    return gated_herding(*given, gate=spec.gate, rng=rng)


def gated_herding(
    reference: Potential, candidates: Floats, surprise: Floats, count: int, *, gate: float, rng: Generator
) -> Ints:
    """Drop what surprises least, then pick the subset nearest the reference in energy distance.

    It presumes that what is most surprising is what models lose first, the tail of human text. At sampling
    temperature 1 that does not hold: the model's own noise is then more surprising than human text, and the
    gate keeps the noise.

    Args:
        reference: What ``herding`` compares with.
        candidates: Features, shape (N, d).
        surprise: Minus the log probability of each under its generator, shape (N,).
        count: n <= N.
        gate: How many times n pass, at least 1; all N pass where that is more. 1 is ``surplexity``.
        rng: Draws windows where many pass; see ``nearest_subset``.

    Returns:
        Indices in order of picking, shape (n,); of equal surprise the lower index passes.

    Raises:
        ValueError: If n is not in 1..N, gate is below 1 or the candidates do not fit the reference.
    """
    check_count(count, len(candidates))
    if not gate >= 1.0:
        raise ValueError(f"gate must be at least 1, got {gate}")
    passing = min(len(candidates), round(gate * count))
    passed = np.sort(np.argsort(-surprise, kind="stable")[:passing])  # ascending, for herding's ties
    return passed[nearest_subset(reference, candidates[passed], count, rng=rng)]
