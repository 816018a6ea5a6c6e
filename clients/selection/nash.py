# SPDX-License-Identifier: Apache-2.0
"""Rule ``nash``: Scheme I of arXiv 2606.13732, a greedy pick that no silo's utility is left out of."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator

from tailweave.clients.curation.nash_product import log_product
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.count import check_count
from tailweave.clients.selection.top_potential import transport_potential
from tailweave.protocols.arrays import Floats, Ints, matrix, probabilities
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.rules.nearest import Nash
from tailweave.protocols.references import Empirical, Reference

_BLOCK = 512
"""Length of the short list: candidates whose gain is computed at every step."""


@runtime_checkable
class SiloPotentials(Protocol):
    """A reference with one part a silo."""

    @property
    def weights(self) -> Floats:
        """Weight of each silo, shape (K,)."""
        ...

    def potentials(self, x: Floats) -> Floats:
        """Return each silo's transport potential at candidates x (N, d): shape (K, N)."""
        ...


def silo_potentials(reference: Reference, candidates: Floats) -> tuple[Floats, Floats]:
    """Return potentials (K, N) and weights (K,) of a reference; one with points counts as a single silo.

    Raises:
        ValueError: If the reference has neither parts nor points, or candidates do not fit.
        ArithmeticError: If a transport problem is not solved.
    """
    if isinstance(reference, SiloPotentials):
        return reference.potentials(candidates), reference.weights
    if isinstance(reference, Empirical):
        return transport_potential(reference, candidates)[None, :], np.ones(1)
    raise ValueError(
        f"rule nash needs a reference of silos' potentials or with points, got {type(reference).__name__}"
    )


@implements(Nash)
def rule(spec: Nash, candidates: Candidates, reference: Reference, rng: Generator) -> Ints:
    """As the contract says; see ``nash``."""
    return nash(*silo_potentials(reference, candidates.features), candidates.count)


def nash(potentials: Floats, weights: Floats, count: int) -> Ints:
    r"""Greedily maximise the weighted sum of the logarithms of the silos' utilities.

    .. math:: i_{t+1} = \arg\max_i \sum_k w_k [\log(1 + z_k + u_{ik}) - \log(1 + z_k)], \quad
              z_k = \sum_{i \in S_t} u_{ik}, \quad u_{ik} = 1 - \frac{f_{ki} - \min f_k}{\max f_k - \min f_k}

    The calibrated gradient N/(N-1) (f - mean f) has the same utilities: min-max undoes every increasing
    affine map. With one silo the pick is that of ``top-potential``. A silo to which all candidates are
    equal has u = 1 and no say.

    Args:
        potentials: f, one row a silo, shape (K, N), any unit; lower is better.
        weights: Weight of each silo, shape (K,); only their ratios matter.
        count: n <= N.

    Returns:
        Indices, ascending, shape (n,); ties go to the lower index.

    Raises:
        ValueError: If potentials are not finite, weights are not one a silo, or n is not in 1..N.

    Source:
        arXiv 2606.13732, Scheme I.
    """
    f = matrix(potentials, "potentials")
    masses = probabilities(weights, "weights")
    if len(masses) != len(f):
        raise ValueError(f"weights must have shape ({len(f)},), one a silo, got ({len(masses)},)")
    check_count(count, f.shape[1])
    return np.sort(greedy(utilities(f), masses, count))


def utilities(potentials: Floats) -> Floats:
    """Return 1 - min-max of each row: potentials (K, N) to utilities in [0, 1], shape (K, N).

    Where a row's spread is its rounding (below 1e-12 of it), all are worth 1 but for that.
    """
    least = potentials.min(axis=1, keepdims=True)
    spread = potentials.max(axis=1, keepdims=True) - least
    rounding = 1e-12 * np.abs(potentials).max(axis=1, keepdims=True)
    scaled: Floats = 1.0 - (potentials - least) / np.where(spread > rounding, spread, 1.0)
    return scaled


def gains(utility: Floats, weights: Floats, base: Floats) -> Floats:
    """Return sum_k w_k log(1 + u_k / base_k) for utility (K, b) and base 1 + z (K,): shape (b,).

    By so much a candidate raises the logarithm of the silos' weighted Nash product.
    """
    return log_product((np.log1p(row / at) for row, at in zip(utility, base, strict=True)), weights)


def greedy(utility: Floats, weights: Floats, count: int) -> Ints:
    """Run the loop, exactly, on a short list of candidates that is renewed when it no longer suffices.

    As base = 1 + z grows from a to a', log(1 + u/a) shrinks at least by log(1 + 1/a') / log(1 + 1/a), the
    factor of u = 1. So old gains times the largest factor over silos bound the new ones, and while the best
    of the list is above the bound of all that are not on it, it is the best of all.

    Args:
        utility: u, in [0, 1], shape (K, N).
        weights: w, shape (K,), non-negative.
        count: n <= N.

    Returns:
        Indices in order of picking, shape (n,); ties go to the lower index.
    """
    picks = np.empty(count, dtype=np.int64)
    base = np.ones(len(utility))
    left = np.ones(utility.shape[1], dtype=bool)
    block, outside, since = np.empty(0, dtype=np.int64), np.inf, base
    for t in range(count):
        now = gains(utility[:, block], weights, base) if len(block) else np.empty(0)
        now[~left[block]] = -np.inf
        slack = float((np.log1p(1.0 / base) / np.log1p(1.0 / since)).max())
        if len(block) == 0 or now.max() <= outside * slack * (1.0 + 1e-12):
            every = np.where(left, gains(utility, weights, base), -np.inf)
            block, outside = _short_list(every)
            since, now = base.copy(), every[block]
        pick = int(block[np.argmax(now)])
        picks[t] = pick
        left[pick] = False
        base += utility[:, pick]
    return picks


def _short_list(values: Floats) -> tuple[Ints, float]:
    """Return the candidates of largest value, ascending, and a bound on all others."""
    if len(values) <= _BLOCK:
        return np.arange(len(values)), -np.inf
    order = np.lexsort((np.arange(len(values)), -values))
    return np.sort(order[:_BLOCK]), float(values[order[_BLOCK]])
