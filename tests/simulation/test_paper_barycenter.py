# SPDX-License-Identifier: Apache-2.0
import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from simulation.paper.barycenter import free_support, project
from simulation.paper.transport import COVARIANCES, MEANS, barycenter_row, fedwad_rows, toy_row


def three_gaussians(seed, rows):
    rng = np.random.default_rng(seed)
    return [rng.multivariate_normal(m, c, rows) for m, c in zip(MEANS, COVARIANCES, strict=True)], rng


@pytest.mark.parametrize("weights", [(1, 1, 1), (0.6, 0.3, 0.1)])
def test_agrees_with_pot(weights):
    silos, rng = three_gaussians(0, 60)
    start = rng.standard_normal((60, 2))
    ours = free_support(silos, weights, start)
    w = np.array(weights) / sum(weights)
    theirs = ot.lp.free_support_barycenter(silos, [ot.unif(60)] * 3, start, weights=w, numItermax=100)
    gap = np.sqrt(project(ours.support, theirs).cost_sq)
    assert gap <= 0.01 * np.sqrt(ours.support.var(axis=0).sum())
    assert ours.movement_sq[-1] <= 1e-10 < ours.movement_sq[0]


def test_nears_the_closed_form_as_rows_grow():
    gaps = [np.mean([barycenter_row(s, samples=n)["to_bures"] for s in range(2)]) for n in (20, 80, 320)]
    # sampling error of mean and covariance falls as the root of n: a factor 4 over all, half is asked
    assert gaps[2] < gaps[0] / 2
    assert gaps[2] < 0.1


def test_the_published_toy_is_reproduced():
    # published-facts section 7 check 9: 9 iterations, error .00875 (5 decimals printed)
    row = toy_row()
    assert row["iterations"] == 9
    assert row["error"] == pytest.approx(0.00875, abs=5e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9))
def test_with_equal_sizes_the_image_is_the_best_assignment(seed, rows):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((2, rows, 3))
    cost_sq = cdist(x, y, "sqeuclidean")
    order = linear_sum_assignment(cost_sq)[1]
    found = project(x, y)
    np.testing.assert_allclose(found.image, y[order], atol=1e-12)
    assert found.cost_sq == pytest.approx(cost_sq[np.arange(rows), order].mean(), abs=1e-12)


def test_one_atom_goes_to_the_mean():
    rows = np.random.default_rng(0).standard_normal((7, 2))
    np.testing.assert_allclose(project(np.zeros((1, 2)), rows).image, rows.mean(axis=0)[None])


def test_the_barycenter_of_one_silo_is_the_silo():
    rows = np.random.default_rng(1).standard_normal((15, 2))
    found = free_support([rows], [2.0], np.random.default_rng(2).standard_normal((15, 2)))
    np.testing.assert_allclose(np.sort(found.support, axis=0), np.sort(rows, axis=0))
    assert len(found.movement_sq) == 2  # there at once, then still


def test_a_damped_step_reaches_the_same_point():
    rows = np.random.default_rng(3).standard_normal((2, 12, 1))  # on a line the fixed point is unique
    full, damped = (
        free_support(
            list(rows), [1, 3], np.arange(12.0)[:, None], step=step, iterations=300, tolerance_sq=1e-24
        )
        for step in (1.0, 0.3)
    )
    np.testing.assert_allclose(full.support, damped.support, atol=1e-10)
    expected = 0.25 * np.sort(rows[0, :, 0]) + 0.75 * np.sort(rows[1, :, 0])  # mean of quantiles
    np.testing.assert_allclose(full.support[:, 0], expected, atol=1e-12)


def test_fedwad_rows_tell_the_worst_rise():
    rows = fedwad_rows(0, samples=20, rounds=8)
    assert [row["generation"] for row in rows] == list(range(1, 9))
    assert all(row["rise"] == 0.0 for row in rows)
    assert rows[-1]["excess"] < rows[0]["excess"]


def test_bad_inputs():
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match="rows must have 2 columns, got 3"):
        project(x, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="one mass a silo: 1 silos, got 2"):
        free_support([x], [1, 1], x)
    with pytest.raises(ValueError, match=r"step must be in \(0, 1\], got 0"):
        free_support([x], [1], x, step=0)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        free_support([x], [1], x, iterations=0)
