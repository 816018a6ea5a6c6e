# SPDX-License-Identifier: Apache-2.0
"""Curation with finitely many samples: a generator refitted on what preferences keep of its own samples."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tailweave.clients import generators
from tailweave.clients.curation.preferences import check_candidates, preference_weights
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.generators.base import GeneratorKind

Streams = Callable[[int, str], np.random.Generator]
"""The stream of a purpose in a generation."""


@dataclass(frozen=True)
class Curators:
    """Who chooses.

    Attributes:
        rewards: Rewards of every preference, rows (n, d) to (R, n).
        weights: Share of the choices that each makes, summing to 1, shape (R,).
        candidates: K, of how many each choice keeps one.
    """

    rewards: Callable[[Floats], Floats]
    weights: Floats
    candidates: int


def picks(rewards: ArrayLike, weights: ArrayLike, *, rng: np.random.Generator) -> Ints:
    r"""Choose one of K candidates in each group, by the preference whose turn it is.

    .. math:: P(k) = e^{r_i(x_k)} / \sum_j e^{r_i(x_j)}, \quad i \sim w

    Drawn by adding Gumbel noise to the rewards and taking the largest.

    Args:
        rewards: r, shape (R, n, K): of every preference, for the K candidates of n groups.
        weights: w, in [0, 1], summing to 1, shape (R,).
        rng: Stream of the choices.

    Returns:
        The place of the one that is kept in each group, shape (n,).

    Raises:
        ValueError: If there are no rewards, fewer than two candidates, one that is not finite, or weights
            that do not fit.

    Source:
        arXiv 2605.07724, its curation step (K-wise Bradley-Terry).
    """
    r = np.asarray(rewards, dtype=np.float64)
    if r.ndim != 3 or r.size == 0 or not np.isfinite(r).all():
        raise ValueError(f"rewards must be finite, of shape (R, n, K), none of them 0, got {r.shape}")
    w = preference_weights(weights, len(r))
    check_candidates(r.shape[2])
    turn = rng.choice(len(w), size=r.shape[1], p=w / w.sum())
    chosen: Ints = (r[turn, np.arange(r.shape[1])] + rng.gumbel(size=r.shape[1:])).argmax(axis=1)
    return chosen


def curated(
    model: generators.Generator, curators: Curators, count: int, *, rng: np.random.Generator
) -> Samples:
    """Draw count times K candidates and keep one of each K; raises ``ValueError`` as ``picks``."""
    drawn = model.sample(count * curators.candidates, rng=rng)
    rewards = curators.rewards(drawn.values)
    kept = picks(rewards.reshape(len(rewards), count, -1), curators.weights, rng=rng)
    return drawn.take(np.arange(count) * curators.candidates + kept)


def recursion(
    spec: GeneratorKind, first: Samples, curators: Curators, generations: int, streams: Streams
) -> Iterator[Samples]:
    """Refit on what is kept, again and again.

    Args:
        spec: The generator.
        first: What it is fitted on first, n rows.
        curators: Who chooses.
        generations: T, how often it is refitted on what is kept.
        streams: Gives the streams ``fit`` and ``curate`` of each generation.

    Yields:
        What each generation is fitted on, n rows: ``first``, and then what was kept, T times.

    Raises:
        ValueError: If rows are too few for the generator, or as ``picks``.
    """
    rows = first
    yield rows
    for generation in range(1, generations + 1):
        model = generators.fit(spec, rows, rng=streams(generation, "fit"))
        rows = curated(model, curators, len(rows), rng=streams(generation, "curate"))
        yield rows
