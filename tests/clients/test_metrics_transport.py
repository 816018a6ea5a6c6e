# SPDX-License-Identifier: Apache-2.0
"""Exact and sliced transport against brute force, sorting and POT."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.metrics import transport
from tailweave.clients.metrics.transport import sliced_w2_sq, transport_cost, w2_sq
from tailweave.protocols.pot import ot


def _directions(seed: int, count: int, d: int) -> np.ndarray:
    theta = np.random.default_rng(seed).normal(size=(count, d))
    return theta / np.linalg.norm(theta, axis=1, keepdims=True)


def test_two_points_by_hand():
    # 0 -> 1 and 3 -> 5: (1 + 4) / 2; no root, no half
    assert w2_sq([[0.0], [3.0]], [[5.0], [1.0]]) == pytest.approx(2.5, rel=1e-15)


def test_unequal_sizes_split_the_mass():
    # the one point sends half its mass 1 away and half 3 away
    assert w2_sq([[0.0]], [[1.0], [3.0]]) == pytest.approx(5.0, rel=1e-15)


def test_equals_the_best_permutation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
    best = min(((x - y[list(order)]) ** 2).sum(1).mean() for order in permutations(range(6)))
    assert w2_sq(x, y) == pytest.approx(best, rel=1e-13)


def test_a_shift_costs_its_squared_length():
    x = np.random.default_rng(1).normal(size=(40, 4))
    assert w2_sq(x, x + [1.0, 2.0, 0.0, 2.0]) == pytest.approx(9.0, rel=1e-12)


def test_identical_points_are_at_distance_zero():
    assert w2_sq(np.ones((5, 2)), np.ones((3, 2))) == 0.0


def test_refuses_more_rows_than_it_can_solve():
    with pytest.raises(ValueError, match="at most 2000 rows a side, got 2001 and 1"):
        w2_sq(np.zeros((2001, 1)), [[0.0]])


def test_an_unfinished_simplex_is_an_error(monkeypatch):
    monkeypatch.setattr(transport, "_PIVOTS", 1)
    with (
        pytest.warns(UserWarning, match="numItermax"),
        pytest.raises(ArithmeticError, match="exact transport of 30 x 20 failed"),
    ):
        transport_cost(np.random.default_rng(2).random((30, 20)))


@pytest.mark.parametrize(("m", "r"), [(1, 1), (7, 7), (6, 4), (5, 13), (1, 9)])
def test_sliced_agrees_with_pot_in_one_dimension(m: int, r: int):
    rng = np.random.default_rng(m)
    x, y = rng.normal(size=(m, 3)), rng.normal(size=(r, 3)) + 1.0
    theta = _directions(4, 20, 3)
    expected = np.mean([ot.emd2_1d(x @ t, y @ t, metric="sqeuclidean") for t in theta])
    assert sliced_w2_sq(x, y, theta) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12))
def test_sliced_is_symmetric_and_below_exact(seed: int, m: int, r: int):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, 3)), rng.normal(size=(r, 3))
    theta = _directions(seed, 8, 3)
    value = sliced_w2_sq(x, y, theta)
    assert sliced_w2_sq(y, x, theta) == pytest.approx(value, rel=1e-12)
    assert 0.0 <= value <= w2_sq(x, y) * (1.0 + 1e-12)
    # on the line every direction is exact
    assert sliced_w2_sq(x[:, :1], y[:, :1], [[-1.0]]) == pytest.approx(w2_sq(x[:, :1], y[:, :1]), abs=1e-13)


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match="truth must have 2 columns, got 1"):
        w2_sq(np.ones((3, 2)), np.ones((3, 1)))
    with pytest.raises(ValueError, match="truth must have 2 columns, got 1"):
        sliced_w2_sq(np.ones((3, 2)), np.ones((3, 1)), np.eye(2))
    with pytest.raises(ValueError, match="directions must have 2 columns, got 3"):
        sliced_w2_sq(np.ones((3, 2)), np.ones((3, 2)), np.eye(3))
    with pytest.raises(ValueError, match="generated must be finite"):
        sliced_w2_sq([[np.inf]], [[1.0]], [[1.0]])
