# SPDX-License-Identifier: Apache-2.0
"""Rule ``dsbr``: draw candidates in inverse proportion to how often their label was given lately."""

import numpy as np
from numpy.random import Generator

from tailweave.clients.running_shares import RunningShares
from tailweave.clients.samples import Labels
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.labels import Dsbr
from tailweave.protocols.references import Reference


@implements(Dsbr)
def rule(spec: Dsbr, candidates: Candidates, reference: Reference | None, rng: Generator) -> Ints:
    """Draw n without replacement, each next one in proportion to the weights of those that are left.

    Source:
        Efraimidis & Spirakis (2006): the n largest of log(u) / w are such a draw.
    """
    check_count(candidates.count, len(candidates))
    weights = label_weights(candidates.labels, batch=spec.batch, momentum=spec.momentum)
    keys = np.log(1.0 - rng.random(len(candidates))) / weights
    order: Ints = np.argsort(-keys, kind="stable")
    return order[: candidates.count]


def label_weights(labels: Labels, *, batch: int, momentum: float) -> Floats:
    r"""Return the weight of each candidate, from a running share of the labels.

    .. math:: w_i = \frac{1}{C \pi_{y_i}}

    with the shares pi of ``RunningShares``; the weights of a batch are taken after pi has taken it in.

    Args:
        labels: Label of each candidate in the order in which they were drawn, shape (N,).
        batch: Candidates of a batch.
        momentum: m, in [0, 1).

    Returns:
        Shape (N,), positive.

    Source:
        Class ``DSBR`` of the public code of arXiv 2606.02339, there as weights of a loss.
    """
    names, codes = np.unique(labels, return_inverse=True)
    running = RunningShares(len(names), momentum=momentum)
    weights = np.empty(len(labels))
    for start in range(0, len(labels), batch):
        part = codes[start : start + batch]
        running.take(part)
        weights[start : start + batch] = running.weights(part)
    return weights
