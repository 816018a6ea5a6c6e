# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import wasserstein_distance

from tailweave.protocols.pot import ot
from tailweave.protocols.references import histogram

LEVELS = 1024


def masses(lines, bins, seed, empty=0.0):
    rng = np.random.default_rng(seed)
    table = rng.random((lines, bins)) * (rng.random((lines, bins)) >= empty) + 1e-12
    return table / table.sum(axis=1, keepdims=True)


def shifted(table, by):
    return np.roll(table, by, axis=1)


@given(st.integers(1, 50), st.integers(1, 4), st.integers(2, 40), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_counts_agree_with_numpy(n, lines, bins, seed):
    places = np.random.default_rng(seed).random((n, lines))
    found = histogram.counts(places, bins)
    expected = [np.bincount((column * bins).astype(int), minlength=bins) for column in places.T]
    assert found.tolist() == np.array(expected).tolist()
    assert (found.sum(axis=1) == n).all()


def test_counts_at_the_edges():
    found = histogram.counts(np.array([[0.0], [0.25], [0.5], [0.999], [1.0], [1.0]]), 4)
    assert found.tolist() == [[1.0, 1.0, 1.0, 3.0]]
    assert found.dtype == np.float64


@pytest.mark.parametrize("bins", [2, 5, 9])
def test_potential_is_exact_against_numerical_integration(bins):
    tables = masses(2, bins, bins, empty=0.3)
    for u in (0.0, 0.11, 0.5, 1 / bins, 0.93, 1.0):
        expected = 0.0
        for table in tables:
            for k, mass in enumerate(table):
                low, high = k / bins, (k + 1) / bins
                kink = [u] if low < u < high else None
                expected += (
                    mass * bins * quad(lambda v, u=u: abs(u - v), low, high, points=kink)[0] / len(tables)
                )
        assert histogram.potential(np.full((1, 2), u), tables)[0] == pytest.approx(expected, abs=1e-12)


def test_potential_of_the_uniform_distribution_is_a_parabola():
    u = np.linspace(0, 1, 21)[:, None]
    found = histogram.potential(u, np.full((1, 7), 1 / 7))
    np.testing.assert_allclose(found, u[:, 0] ** 2 - u[:, 0] + 0.5, atol=1e-14)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(2, 30), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_potential_is_convex_and_has_slope_at_most_one(u, v, bins, seed):
    table = masses(1, bins, seed, empty=0.5)
    low, middle, high = histogram.potential(np.array([[u], [(u + v) / 2], [v]]), table)
    assert abs(low - high) <= abs(u - v) + 1e-12
    assert middle <= (low + high) / 2 + 1e-12


def test_potential_averages_over_directions():
    tables, places = masses(3, 8, 0), np.random.default_rng(0).random((5, 3))
    alone = [histogram.potential(places[:, [k]], tables[[k]]) for k in range(3)]
    np.testing.assert_allclose(histogram.potential(places, tables), np.mean(alone, axis=0), atol=1e-14)


def test_barycenter_of_two_shifted_histograms_is_shifted_by_the_mean():
    base = np.zeros((2, 32))
    base[:, 4:9] = np.array([1, 2, 4, 8, 1]) / 16  # multiples of 1 / 1024: levels fall inside the bins
    found = histogram.barycenter([base, shifted(base, 10)], np.array([1.0, 1.0]))
    np.testing.assert_allclose(found, shifted(base, 5), atol=1 / LEVELS)
    uneven = histogram.barycenter([base, shifted(base, 8)], np.array([3.0, 1.0]))
    np.testing.assert_allclose(uneven, shifted(base, 2), atol=1 / LEVELS)


@pytest.mark.parametrize("bins", [2, 33, 64])
@pytest.mark.parametrize("empty", [0.0, 0.6])
def test_barycenter_of_one_is_itself(bins, empty):
    table = masses(3, bins, bins, empty)
    for given_tables in ([table], [table, table, table]):
        found = histogram.barycenter(given_tables, np.arange(1.0, len(given_tables) + 1))
        # rounding may carry a level over an edge: one more level at each of a bin's two edges
        np.testing.assert_allclose(found, table, atol=3 / LEVELS)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)


def test_barycenter_of_odd_masses():
    left, right = np.zeros((1, 8)), np.zeros((1, 8))
    left[0, 0], right[0, 7] = 1.0, 1.0  # all mass in one bin
    assert histogram.barycenter([left, left], np.ones(2)).tolist() == left.tolist()
    assert histogram.barycenter([left, right], np.array([0.0, 2.0])).tolist() == right.tolist()
    halfway = histogram.barycenter([left, right], np.ones(2))[0]
    # positions [0, 1/8] and [7/8, 1] average to [7/16, 9/16]: half in bin 3 and half in bin 4
    np.testing.assert_allclose(halfway, [0, 0, 0, 0.5, 0.5, 0, 0, 0], atol=1 / LEVELS)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.75])
def test_barycenter_lies_on_the_geodesic(share):
    bins = 40
    one, other = masses(1, bins, 1, 0.4), masses(1, bins, 2, 0.4)
    middle = (np.arange(bins) + 0.5) / bins
    found = histogram.barycenter([one, other], np.array([1 - share, share]))[0]
    whole = ot.wasserstein_1d(middle, middle, one[0], other[0], p=2) ** 0.5
    part = ot.wasserstein_1d(middle, middle, one[0], found, p=2) ** 0.5
    assert part == pytest.approx(share * whole, abs=1 / bins)  # every point is moved by less than a bin


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_barycenter_averages_quantiles(seed):
    bins, fine = 24, 20_000
    tables, weights = [masses(1, bins, seed + k) for k in (0, 10, 20)], np.array([0.5, 0.3, 0.2])
    levels, edges = (np.arange(fine) + 0.5) / fine, np.linspace(0, 1, bins + 1)
    quantiles = [np.interp(levels, np.concatenate([[0], np.cumsum(t[0])]), edges) for t in tables]
    slow = np.histogram(weights @ np.array(quantiles), edges)[0] / fine
    found = histogram.barycenter(tables, weights)[0]
    np.testing.assert_allclose(found, slow, atol=1 / LEVELS + 1 / fine)
    assert wasserstein_distance(edges[1:], edges[1:], found, slow) < 1 / LEVELS


def test_more_levels_give_a_finer_barycenter():
    table = masses(1, 16, 5)
    errors = [np.abs(histogram.barycenter([table], np.ones(1), levels=n) - table).max() for n in (32, 8192)]
    assert errors[1] < 2 / 8192 < errors[0]


@pytest.mark.parametrize("weights", [np.array([1.0, -1.0]), np.zeros(2), np.array([])])
def test_barycenter_refuses_weights(weights):
    with pytest.raises(ValueError, match="weights must be"):
        histogram.barycenter([masses(1, 4, 0)] * 2, weights)


def test_barycenter_needs_a_weight_for_each_histogram():
    with pytest.raises(ValueError, match="shorter|longer"):
        histogram.barycenter([masses(1, 4, 0)] * 2, np.ones(3))
