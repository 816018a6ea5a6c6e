# SPDX-License-Identifier: Apache-2.0
"""Histograms on [0, 1], one a direction: counts, the potential they give, and their barycenter."""

from collections.abc import Sequence

import numpy as np

from tailweave.protocols.arrays import Floats, Ints, probabilities

_ROUNDING = 1e-9


def counts(positions: Floats, bins: int) -> Floats:
    """Count positions (n, L) in equal bins of [0, 1]; the upper edge belongs to the last bin.

    Returns:
        Whole numbers as float64, shape (L, B); every row sums to n.
    """
    index = _bin(positions, bins)
    directions = positions.shape[1]
    flat = (index + np.arange(directions) * bins).ravel()
    table: Floats = (
        np.bincount(flat, minlength=directions * bins).astype(np.float64).reshape(directions, bins)
    )
    return table


def check_counts(table: Floats, count: float) -> None:
    """Refuse a table (L, B) that no ``count`` rows can have given; only of exact counts, noise breaks both.

    Raises:
        ValueError: If a count is negative, or a direction's bins do not add up to ``count``.
    """
    if (table < 0).any():
        raise ValueError(f"bin counts must not be negative without noise, got {table.min():.6g}")
    totals = table.sum(axis=1)  # (L,)
    wrong = np.abs(totals - count) > _ROUNDING * count
    if wrong.any():
        raise ValueError(
            f"every direction's bins must add up to the count {count:.6g} without noise, "
            f"got {totals[wrong.argmax()]:.6g} in direction {wrong.argmax()}"
        )


def potential(positions: Floats, histograms: Floats) -> Floats:
    r"""Return E|u - v| for v uniform within bins, averaged over directions.

    Within a bin that starts at e, h(u) = h(e) + (2F(e) - 1)(u - e) + (p/w)(u - e)^2 with F the distribution
    function, p the bin's mass and w its width: exact, no midpoint rule.

    Args:
        positions: u, shape (n, L), in [0, 1].
        histograms: Masses, shape (L, B); every row sums to 1.

    Returns:
        Shape (n,), in units of the interval.
    """
    bins = histograms.shape[1]
    below = np.concatenate([np.zeros((len(histograms), 1)), np.cumsum(histograms, axis=1)], axis=1)[:, :-1]
    step = (2.0 * below - 1.0 + histograms) / bins  # h(next edge) - h(edge), (L, B)
    at_zero = histograms @ ((np.arange(bins) + 0.5) / bins)
    at_edge = (
        at_zero[:, None] + np.concatenate([np.zeros((len(step), 1)), np.cumsum(step, axis=1)], axis=1)[:, :-1]
    )
    index = _bin(positions, bins).T  # (L, n)
    excess = positions.T - index / bins
    values = np.take_along_axis(at_edge, index, axis=1)
    values += excess * (2.0 * np.take_along_axis(below, index, axis=1) - 1.0)
    values += excess**2 * bins * np.take_along_axis(histograms, index, axis=1)
    mean: Floats = values.mean(axis=0)
    return mean


def barycenter(histograms: Sequence[Floats], weights: Floats, *, levels: int = 1024) -> Floats:
    """Return, for each direction, the exact one-dimensional W2 barycenter, binned again.

    In one dimension the barycenter's quantile function is the weighted mean of the quantile functions;
    it is evaluated at ``levels`` equally spaced levels, so the binning error is below 1 / levels in mass.

    Returns:
        Masses, shape (L, B).

    Source:
        Agueh & Carlier (2011), section 6.1.
    """
    weights = probabilities(weights, "weights")
    directions, bins = histograms[0].shape
    edges = np.linspace(0.0, 1.0, bins + 1)
    at = (np.arange(levels) + 0.5) / levels
    result = np.empty((directions, bins))
    for line in range(directions):
        quantiles = np.zeros(levels)
        for weight, table in zip(weights, histograms, strict=True):
            quantiles += weight * _quantiles(table[line], edges, at)
        result[line] = np.histogram(quantiles, bins=edges)[0] / levels
    return result


def _quantiles(masses: Floats, edges: Floats, levels: Floats) -> Floats:
    cumulative = np.concatenate([[0.0], np.cumsum(masses)])
    index = np.clip(np.searchsorted(cumulative, levels, side="left") - 1, 0, len(masses) - 1)
    inside = (levels - cumulative[index]) / np.where(masses[index] > 0, masses[index], 1.0)
    points: Floats = edges[index] + np.clip(inside, 0.0, 1.0) * (edges[1] - edges[0])
    return points


def _bin(positions: Floats, bins: int) -> Ints:
    return np.minimum((positions * bins).astype(np.int64), bins - 1)
