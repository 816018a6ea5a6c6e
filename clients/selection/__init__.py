# SPDX-License-Identifier: Apache-2.0
"""Selection rules: which n of N candidates the next generation is trained on."""

import numpy as np

from tailweave.clients.selection.center_matching import center_matching
from tailweave.clients.selection.center_sampling import center_sampling
from tailweave.clients.selection.covariance_matching import covariance_matching
from tailweave.clients.selection.ds3 import ds3
from tailweave.clients.selection.farthest_point import farthest_point
from tailweave.clients.selection.fid_batches import fid_batches
from tailweave.clients.selection.herding import herding
from tailweave.clients.selection.k_means import k_means
from tailweave.clients.selection.latent_density import latent_density
from tailweave.clients.selection.matching_alpha import matching_alpha
from tailweave.clients.selection.nash import nash, silo_potentials
from tailweave.clients.selection.partial_transport import partial_transport
from tailweave.clients.selection.random import random
from tailweave.clients.selection.threshold_decay import threshold_decay
from tailweave.clients.selection.top_potential import top_potential
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.config.rules import WITHOUT_REFERENCE, Rule
from tailweave.protocols.references import Empirical, Reference

_ON_POINTS = {
    "center-matching": center_matching,
    "fid-batches": fid_batches,
    "matching-alpha": matching_alpha,
    "partial-transport": partial_transport,
    "top-potential": top_potential,
}
_ON_POINTS_AT_RANDOM = {
    "center-sampling": center_sampling,
    "covariance-matching": covariance_matching,
    "ds3": ds3,
}


def select(
    rule: Rule, reference: Reference | None, candidates: Floats, count: int, *, rng: np.random.Generator
) -> Ints:
    """Pick ``count`` of the candidates by the named rule.

    Args:
        rule: Name of the rule.
        reference: What the rule compares with; None for rules that compare with nothing.
        candidates: Features, shape (N, d).
        count: n <= N.
        rng: Stream of the rule's own randomness.

    Returns:
        Indices, shape (n,).

    Raises:
        ValueError: If the rule lacks its reference, or the reference has no points and the rule needs them.
    """
    if rule in WITHOUT_REFERENCE:
        return _without_reference(rule, candidates, count, rng)
    if reference is None:
        raise ValueError(f"rule {rule} needs a reference, got none")
    if rule == "herding":
        return herding(reference, candidates, count)
    if rule == "nash":
        potentials, weights = silo_potentials(reference, candidates)
        return nash(potentials, weights, count)
    if not isinstance(reference, Empirical):
        raise ValueError(f"rule {rule} needs a reference with points, got {type(reference).__name__}")
    if rule in _ON_POINTS_AT_RANDOM:
        return _ON_POINTS_AT_RANDOM[rule](reference, candidates, count, rng=rng)
    return _ON_POINTS[rule](reference, candidates, count)


def _without_reference(rule: Rule, candidates: Floats, count: int, rng: np.random.Generator) -> Ints:
    if rule == "k-means":
        return k_means(candidates, count, rng=rng)
    if rule == "latent-density":
        return latent_density(candidates, count)
    if rule == "farthest-point":
        return farthest_point(candidates, count, rng=rng)
    if rule == "threshold-decay":
        return threshold_decay(candidates, count, rng=rng)
    return random(len(candidates), count, rng=rng)


__all__ = [
    "center_matching",
    "center_sampling",
    "covariance_matching",
    "ds3",
    "farthest_point",
    "fid_batches",
    "herding",
    "k_means",
    "latent_density",
    "matching_alpha",
    "nash",
    "partial_transport",
    "random",
    "select",
    "threshold_decay",
    "top_potential",
]
