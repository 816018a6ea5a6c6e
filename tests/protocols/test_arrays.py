# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tailweave.protocols.arrays import matrix, probabilities

MASSES = arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1e6)).filter(lambda a: a.sum() > 1e-6)


def test_matrix_converts_to_float64_and_keeps_values():
    found = matrix([[1, 2], [3, 4]], "rows", columns=2)
    assert found.dtype == np.float64
    assert found.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_matrix_does_not_copy_what_already_fits():
    rows = np.ones((2, 3))
    assert matrix(rows, "rows") is rows


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), r"rows must be a non-empty matrix \(n, d\), got shape \(3,\)"),
        (np.zeros((0, 2)), r"got shape \(0, 2\)"),
        (np.zeros((2, 0)), r"got shape \(2, 0\)"),
        (np.zeros((1, 2, 2)), r"got shape \(1, 2, 2\)"),
        (np.zeros((2, 3)), "rows must have 2 columns, got 3"),
        ([[0.0, np.nan]], "rows must be finite, got nan in column 1"),
        ([[0.0, 0.0], [-np.inf, 0.0]], "rows must be finite, got -inf in column 0"),
    ],
)
def test_matrix_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        matrix(values, "rows", columns=2)


def test_probabilities_known_answer():
    assert probabilities([1, 0, 3], "masses").tolist() == [0.25, 0.0, 0.75]


@given(MASSES)
@settings(max_examples=50, deadline=None)
def test_probabilities_sum_to_one_and_keep_ratios(masses):
    found = probabilities(masses, "masses")
    assert found.sum() == pytest.approx(1.0, abs=1e-12)  # 20 roundings of 1e-16
    np.testing.assert_allclose(
        found * masses.sum(), masses, rtol=1e-12, atol=1e-300
    )  # subnormals have no rtol


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], r"masses must be a non-empty vector, got shape \(0,\)"),
        ([[1.0]], r"got shape \(1, 1\)"),
        (1.0, r"got shape \(\)"),
        ([0.0, 0.0], r"not all zero, got \[0.0, 0.0\]"),
        ([1.0, -0.5], r"non-negative .* got \[1.0, -0.5\]"),
        ([1.0, np.nan], "must be finite"),
        ([1.0, np.inf], "must be finite"),
    ],
)
def test_probabilities_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        probabilities(values, "masses")
