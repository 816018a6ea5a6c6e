# SPDX-License-Identifier: Apache-2.0
"""Free-support barycenters against POT's own, the mean of quantile functions, and the Bures closed form."""

import numpy as np
import pytest

from tailweave.protocols.pot import ot
from tailweave.protocols.transport.free_support import free_support, mean_step, tolerance_sq
from tailweave.protocols.transport.projection import project

MEANS = np.array([[2.0, 2.0], [-2.0, 2.0], [0.0, -3.0]])
COVARIANCES = np.array([[[1.0, 0.3], [0.3, 0.5]], [[0.4, -0.2], [-0.2, 0.9]], [[0.6, 0.0], [0.0, 0.2]]])


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


@pytest.mark.parametrize("reg", [None, pytest.param(0.5, marks=pytest.mark.slow)])
def test_nears_the_closed_form_as_rows_grow(reg):
    mean, covariance = ot.gaussian.bures_wasserstein_barycenter(MEANS, COVARIANCES)
    gaps = []
    for rows in (20, 80, 320) if reg is None else (20, 80, 200):
        silos, rng = three_gaussians(1, rows)
        start = rng.standard_normal((rows, 2))
        found = free_support(silos, np.ones(3), start, tolerance_sq=1e-6, entropic_reg=reg).support
        spread = np.cov(found, rowvar=False, bias=True)
        gaps.append(ot.gaussian.bures_wasserstein_distance(found.mean(axis=0), mean, spread, covariance))
    # sampling error of mean and covariance falls as the root of n: a factor 4 over all, half is asked
    assert gaps[2] < gaps[0] / 2
    assert gaps[2] < 0.15


def test_one_iteration_by_hand():
    # both silos send their atoms, in order, to their rows: means of (1, 5) and (4, 6) with weights 1:3
    silos = [np.array([[1.0], [4.0]]), np.array([[6.0], [5.0]])]
    found = free_support(silos, [1, 3], np.array([[0.0], [10.0]]), iterations=1)
    np.testing.assert_allclose(found.support, [[4.0], [5.5]])
    assert found.movement_sq == pytest.approx(((16 + 20.25) / 2,))


def test_a_step_moves_by_its_share_and_tells_how_far():
    support, moved = mean_step(np.zeros((2, 2)), [np.array([[4.0, 8.0], [4.0, 0.0]])], np.ones(1), 0.25)
    assert support.tolist() == [[1.0, 2.0], [1.0, 0.0]]
    assert moved == 3.0  # mean of 1 + 4 and 1


def test_the_protocol_stops_at_a_ten_thousandth_of_the_spread():
    support = np.array([[0.0, 0.0], [2.0, 4.0]])  # variances 1 and 4
    assert tolerance_sq(support) == pytest.approx(5e-8)


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


def test_without_entropy_the_entropic_barycenter_is_the_exact_one():
    silos, rng = three_gaussians(2, 12)
    start = rng.standard_normal((12, 2))
    exact, near, far = (
        free_support(silos, np.ones(3), start, entropic_reg=reg).support for reg in (None, 1e-4, 5.0)
    )
    scale = np.sqrt(exact.var(axis=0).sum())
    assert np.sqrt(project(near, exact).cost_sq) < 0.01 * scale
    assert np.sqrt(project(far, exact).cost_sq) > 0.03 * scale


def test_bad_inputs():
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match="one mass a silo: 1 silos, got 2"):
        free_support([x], [1, 1], x)
    with pytest.raises(ValueError, match=r"step must be in \(0, 1\], got 0"):
        free_support([x], [1], x, step=0)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        free_support([x], [1], x, iterations=0)
    with pytest.raises(ValueError, match="rows must have 2 columns, got 3"):
        free_support([np.zeros((2, 3))], [1], x)
