# SPDX-License-Identifier: Apache-2.0
"""Rows from distances: exact where there is one nearest row, and nothing where there is none or no answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailweave.simulation.audit.attacks.nearest_row import nearest_row

STEP, EXACT = 1e-2, 1e-7


def to_nearest(rows):
    return lambda point: float(np.linalg.norm(rows - point, axis=1).min())


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_single_row_is_found_from_anywhere(seed, columns):
    rng = np.random.default_rng(seed)
    row, point = rng.normal(size=(2, columns)) * 3.0
    found = nearest_row(to_nearest(row[None, :]), point, step=STEP, exact=EXACT)
    # squared distances below 1e3 differ by 2 s (z - p): rounding 1e-13 over 2e-2
    np.testing.assert_allclose(found, row, atol=1e-10)


def test_the_nearest_of_many_is_found():
    rows = np.random.default_rng(0).normal(size=(50, 3))
    found = [nearest_row(to_nearest(rows), row + 1e-3, step=1e-4, exact=EXACT) for row in rows]
    np.testing.assert_allclose(np.array(found), rows, atol=1e-8)


def test_points_between_two_rows_are_not_taken_for_one():
    rows = np.array([[-1.0, 0.0], [1.0, 0.0]])
    assert nearest_row(to_nearest(rows), np.array([-STEP / 2, 1.0]), step=STEP, exact=EXACT) is None


@pytest.mark.parametrize("answered", range(4))
def test_no_answer_is_no_row(answered):
    row, left = np.array([[1.0, 2.0]]), [answered]

    def distance(point):
        left[0] -= 1
        return to_nearest(row)(point) if left[0] >= 0 else None

    assert nearest_row(distance, np.zeros(2), step=STEP, exact=EXACT) is None
