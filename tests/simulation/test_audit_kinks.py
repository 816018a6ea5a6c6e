# SPDX-License-Identifier: Apache-2.0
"""Hidden numbers from mean distances, and rows from the numbers of single columns."""

import numpy as np
import pytest

from tailweave.simulation.audit.attacks.kinks import hidden_numbers, matched

STEP = 1e-4


def mean_distance(hidden, asked=None):
    def mean(t):
        if asked is not None:
            asked.append(t)
        return float(np.abs(t - hidden).mean()) - 0.7

    return mean


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_every_number_is_found_in_few_questions(count):
    hidden, asked = np.sort(np.random.default_rng(count).normal(size=count)), []
    found = hidden_numbers(mean_distance(hidden, asked), 50.0, step=STEP, most=count)
    # a slope is off by 1e-15 / step = 1e-11, over a distance of 50 and a jump of 2 / count
    np.testing.assert_allclose(found, hidden, atol=1e-8)
    assert len(asked) <= 6 * count + 2


def test_equal_numbers_are_one_kink():
    found = hidden_numbers(mean_distance(np.array([1.0, 1.0, -2.0])), 50.0, step=STEP, most=3)
    np.testing.assert_allclose(found, [-2.0, 1.0], atol=1e-9)


def test_no_answer_is_no_number():
    assert hidden_numbers(lambda t: None, 50.0, step=STEP, most=9).size == 0
    some = mean_distance(np.array([0.0, 1.0]))
    assert hidden_numbers(lambda t: some(t) if abs(t) > 9 else None, 50.0, step=STEP, most=9).size == 0


def test_a_function_that_is_none_of_that_kind_ends_the_search():
    rng = np.random.default_rng(0)
    assert hidden_numbers(lambda t: t**2, 50.0, step=STEP, most=20).size <= 120
    assert hidden_numbers(lambda t: float(rng.normal()), 50.0, step=STEP, most=20).size <= 120


def test_columns_are_put_together_by_their_sums():
    rows = np.random.default_rng(1).normal(size=(20, 3))
    sums = [rows[:, :2].sum(axis=1), rows.sum(axis=1)]
    found = matched([np.sort(column) for column in rows.T], [np.sort(total) for total in sums], exact=1e-9)
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], rows[np.argsort(rows[:, 0])])
    nothing = np.empty(0)
    assert matched([rows[:, 0], nothing, rows[:, 2]], sums, exact=1e-9).shape == (0, 3)
    assert matched(list(rows.T), [nothing, sums[1]], exact=1e-9).shape == (0, 3)
