# SPDX-License-Identifier: Apache-2.0
"""The server's part of a FedWaD round: where on the geodesic the support is after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.transport.geodesic import between
from tailweave.protocols.transport.projection import project, towards


def silo(support, rows, t, reg=None):
    return towards(support, project(support, rows, entropic_reg=reg).image, t)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 0.9), st.integers(1, 6), st.integers(0, 10**6))
def test_a_support_begun_at_one_end_moves_along_to_t(t, rounds, seed):
    left = np.sort(np.random.default_rng(seed).standard_normal((6, 1)), axis=0)
    shift = np.array([10.0])  # far: all maps are shifts, and the geodesic is left + p shift
    xi = left
    for _ in range(rounds):
        xi = between(xi, left, silo(xi, left + shift, t), t)
    np.testing.assert_allclose(xi, left + t * (1 - (1 - t) ** rounds) * shift, atol=1e-9)


def test_one_round_by_hand():
    # left image [0], silo image [8]; near left 2 - .25 * 2, near right 2 + .25 * 6, a quarter between them
    xi = np.array([[2.0]])
    near_right = silo(xi, np.array([[8.0]]), 0.25)
    assert near_right.tolist() == [[3.5]]
    assert between(xi, np.array([[0.0]]), near_right, 0.25).tolist() == [[1.5 + 0.25 * 2.0]]


def test_without_entropy_both_backends_agree():
    left, right = np.random.default_rng(1).standard_normal((2, 8, 2))
    exact, near = (
        between(left, left, silo(left, right, 0.5, reg), 0.5, entropic_reg=reg) for reg in (None, 0.001)
    )
    np.testing.assert_allclose(near, exact, atol=1e-2)


def test_bad_input():
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"t must be in \(0, 1\], got 0"):
        between(x, x, x, 0.0)
    with pytest.raises(ValueError, match="rows must have 2 columns, got 1"):
        between(x, x[:, :1], x, 0.5)
