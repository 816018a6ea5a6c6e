# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from tailweave.protocols.references import cosine
from tailweave.protocols.references.pairs import CosinePairs, EuclideanPairs, SlicedPairs

EPS = np.finfo(np.float32).eps


def columns(pairs, count):
    return np.stack([pairs.column(i) for i in range(count)], axis=1)


def cosine_pairs(positions, coefficients, unit=1.0):
    functions = cosine.basis(positions, coefficients).reshape(len(positions), -1).astype(np.float32)
    offsets = cosine.offsets(positions).astype(np.float32)
    return CosinePairs(functions, offsets, positions.shape[1], unit)


def test_euclidean_known_answer():
    pairs = EuclideanPairs.of(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]))
    np.testing.assert_allclose(columns(pairs, 3), [[0, 5, 3], [5, 0, 4], [3, 4, 0]], atol=1e-5)


@given(st.integers(2, 30), st.integers(1, 8), st.floats(-1e6, 1e6), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_euclidean_agrees_with_cdist_wherever_the_cloud_lies(n, d, shift, seed):
    points = np.random.default_rng(seed).standard_normal((n, d)) + shift
    found = columns(EuclideanPairs.of(points), n)
    # squares of up to 4 max|x|^2 with a few float32 roundings; the root turns a small error e into sqrt(e)
    worst = 4 * EPS * 4 * ((points - points.mean(axis=0)) ** 2).sum(axis=1).max()
    assert np.abs(found - cdist(points, points)).max() <= np.sqrt(worst)
    assert (np.diag(found) == 0.0).all()


def test_euclidean_error_is_the_documented_one():
    rng = np.random.default_rng(0)
    points = rng.standard_normal((300, 64))
    twins = points[:100] + 10.0 ** rng.uniform(-6, -1, (100, 1)) * rng.standard_normal((100, 64))
    points = np.concatenate([points, twins])
    exact = cdist(points, points)
    error = np.abs(columns(EuclideanPairs.of(points), len(points)) - exact)
    assert error.max() < 6e-3
    assert error[exact > 1].max() < 1e-5


def test_single_and_equal_candidates_are_at_distance_zero():
    assert EuclideanPairs.of(np.array([[7.0, 8.0]])).column(0).tolist() == [0.0]
    assert (columns(EuclideanPairs.of(np.full((4, 3), 1e3)), 4) == 0.0).all()
    assert (columns(SlicedPairs(np.full((4, 3), 0.3, np.float32), 2.0), 4) == 0.0).all()


def test_sliced_agrees_with_a_slow_loop():
    positions = np.random.default_rng(1).random((12, 5))
    pairs = SlicedPairs(positions.astype(np.float32), 3.0)
    slow = [[3.0 * sum(abs(a[k] - b[k]) for k in range(5)) / 5 for b in positions] for a in positions]
    np.testing.assert_allclose(columns(pairs, 12), slow, atol=8 * 3.0 * EPS)  # 5 sums of numbers below 1


def test_sliced_leaves_its_positions_alone():
    positions = np.random.default_rng(2).random((4, 3)).astype(np.float32)
    before = positions.copy()
    SlicedPairs(positions, 1.0).column(2)
    assert positions.tobytes() == before.tobytes()


@pytest.mark.parametrize("coefficients", [1, 8, 64])
def test_cosine_agrees_with_the_series_in_float64(coefficients):
    positions = np.random.default_rng(3).random((10, 4))
    j = np.arange(1, coefficients + 1)
    slow = np.empty((10, 10))
    for a in range(10):
        for b in range(10):
            u, v = positions[a][:, None], positions[b][:, None]
            series = (np.cos(np.pi * j * u) * np.cos(np.pi * j * v) / j**2).sum(axis=1)
            u, v = u[:, 0], v[:, 0]
            slow[a, b] = 2.0 * (u * u - u + v * v - v + 2 / 3 - 4 / np.pi**2 * series).mean()
    found = columns(cosine_pairs(positions, coefficients, unit=2.0), 10)
    np.testing.assert_allclose(found, slow, atol=1e-5)  # documented relative error of distances below 2


def test_cosine_tends_to_the_sliced_distance():
    positions = np.random.default_rng(4).random((20, 6))
    exact = columns(SlicedPairs(positions.astype(np.float32), 1.0), 20)
    for coefficients in (4, 16, 64, 256):
        error = np.abs(columns(cosine_pairs(positions, coefficients), 20) - exact).max()
        assert error <= 4 / (np.pi**2 * coefficients) + 1e-5  # tail of the series, and float32


@pytest.mark.parametrize(
    "make",
    [
        lambda p: EuclideanPairs.of(p),
        lambda p: SlicedPairs(p.astype(np.float32), 1.5),
        lambda p: cosine_pairs(p, 8),
    ],
    ids=["euclidean", "sliced", "cosine"],
)
def test_distances_are_symmetric_float32(make):
    found = columns(make(np.random.default_rng(5).random((15, 4))), 15)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, found.T, atol=1e-5)  # float32 sums in two orders
