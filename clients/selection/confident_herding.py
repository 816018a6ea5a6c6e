# SPDX-License-Identifier: Apache-2.0
"""Rule ``confident-herding``: herd among the candidates of whose label the generator is surest, by class."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.herding import Potential, nearest_subset
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.base import CONFIDENCE
from tailweave.protocols.kinds.rules.labels import ConfidentHerding


@implements(ConfidentHerding)
def rule(spec: ConfidentHerding, candidates: Candidates, reference: Potential, rng: Generator) -> Ints:
    """Herd among ``surest_of_each_class``.

    Raises:
        ValueError: If fewer pass than are picked, or candidates do not fit the reference.
    """
    check_count(candidates.count, len(candidates))
    passed = surest_of_each_class(candidates.class_codes, candidates.score(CONFIDENCE), spec.keep)
    if len(passed) < candidates.count:
        raise ValueError(
            f"rule {spec.kind} keeps {len(passed)} of {len(candidates)} candidates with keep = "
            f"{spec.keep:g}, fewer than the {candidates.count} to pick: raise keep or candidates-per-sample"
        )
    return passed[nearest_subset(reference, candidates.features[passed], candidates.count, rng=rng)]


def surest_of_each_class(codes: Ints, confidence: Floats, keep: float) -> Ints:
    """Return the surest share of each class, so that no class is dropped because all of it is doubtful.

    Args:
        codes: Class of each candidate, shape (N,).
        confidence: How sure its label is, shape (N,).
        keep: Share of each class that passes, in (0, 1]; at least one.

    Returns:
        Indices in ascending order; of equally sure ones the lower passes.
    """
    passed = []
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        order = np.argsort(-confidence[at], kind="stable")
        passed.append(at[order[: max(1, round(keep * len(at)))]])
    return np.sort(np.concatenate(passed))
