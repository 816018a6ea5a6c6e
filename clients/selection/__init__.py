# SPDX-License-Identifier: Apache-2.0
"""Selection rules: which n of N candidates the next generation is trained on."""

import numpy as np

from clients.selection.herding import herding
from clients.selection.partial_transport import partial_transport
from clients.selection.random import random
from clients.selection.top_potential import top_potential
from protocols.arrays import Floats, Ints
from protocols.config.experiment import Rule
from protocols.references import Empirical, Reference

_WITH_POINTS = {"partial-transport": partial_transport, "top-potential": top_potential}


def select(
    rule: Rule, reference: Reference | None, candidates: Floats, count: int, *, rng: np.random.Generator
) -> Ints:
    """Pick ``count`` of the candidates by the named rule.

    Args:
        rule: Name of the rule.
        reference: What the rule compares with; None for ``random``.
        candidates: Features, shape (N, d).
        count: n <= N.
        rng: Stream of the rule's own randomness.

    Returns:
        Indices, shape (n,).

    Raises:
        ValueError: If the rule lacks its reference, or the reference has no points and the rule needs them.
    """
    if rule == "random":
        return random(len(candidates), count, rng=rng)
    if reference is None:
        raise ValueError(f"rule {rule} needs a reference, got none")
    if rule == "herding":
        return herding(reference, candidates, count)
    if not isinstance(reference, Empirical):
        raise ValueError(f"rule {rule} needs a reference with points, got {type(reference).__name__}")
    return _WITH_POINTS[rule](reference, candidates, count)


__all__ = ["herding", "partial_transport", "random", "select", "top_potential"]
