# SPDX-License-Identifier: Apache-2.0
"""Rule ``most-confident``: keep the candidates of whose label the generator is surest."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.base import CONFIDENCE
from tailweave.protocols.kinds.rules.labels import MostConfident
from tailweave.protocols.references import Reference


@implements(MostConfident)
def rule(spec: MostConfident, candidates: Candidates, reference: Reference | None, rng: Generator) -> Ints:
    """Return the n surest; of equally sure ones the lower index."""
    check_count(candidates.count, len(candidates))
    order: Ints = np.argsort(-candidates.score(CONFIDENCE), kind="stable")
    return order[: candidates.count]
