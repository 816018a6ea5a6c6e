# SPDX-License-Identifier: Apache-2.0

import numpy as np
import pytest
from scipy.stats import kstest, norm

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.privacy.mechanisms import grid
from tailweave.protocols.privacy.noise import SeededNoise, SystemNoise

SPACE = PublicSpace(np.array([3.0, -1.0]), 0.5, seed=0)


@pytest.mark.parametrize(
    "noise", [SeededNoise(np.random.default_rng(2)), SystemNoise()], ids=lambda n: n.name
)
@pytest.mark.parametrize("step", [grid.GRID, 1.0])
def test_noised_adds_exactly_the_noise_asked_for(noise, step):
    sums = np.arange(6000.0).reshape(60, 100)
    noisy = grid.noised(sums, 40.0, noise, step=step)
    error = (noisy - sums * step).ravel()
    np.testing.assert_array_equal(noisy / step, np.rint(noisy / step))
    # KS at 1e-6; whole steps shift the distribution function by at most pdf(0) / 2 * step / 40 = 0.005
    jitter = np.random.default_rng(3).uniform(-0.5, 0.5, error.size) * step
    assert kstest(error + jitter, norm(0, 40.0).cdf).pvalue > 1e-6
    # 5 standard errors of a variance, sqrt(2 / 6000) each: false alarm 6e-7
    assert abs(error.var() / 1600.0 - 1.0) < 5 * np.sqrt(2 / 6000)


def test_noise_that_shows_the_grid_and_sums_past_exactness_are_refused():
    noise = SeededNoise(np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 4.0 steps of the grid, got 3.9; lower epsilon"):
        grid.noised(np.zeros(3), 3.9, noise, step=1.0)
    with pytest.raises(ValueError, match=r"below 2\^53"):
        grid.noised(np.array([2.0**53]), 5.0, noise, step=1.0)


def test_unit_ball_keeps_what_is_inside_and_shortens_the_rest():
    reach = SPACE.scale * 1.5 * np.sqrt(2)
    rows = SPACE.center + reach * np.array([[0.3, 0.4], [3.0, 4.0], [0.0, 0.0], [1e300, 0.0]])
    ball = grid.unit_ball(rows, SPACE)
    np.testing.assert_allclose(ball, [[0.3, 0.4], [0.6, 0.8], [0.0, 0.0], [1.0, 0.0]], atol=1e-12)


def test_blocks_cover_every_row_once():
    rows = np.arange(20.0).reshape(10, 2)
    cut = list(grid.blocks(rows, 1_500_000))
    assert [len(b) for b in cut] == [2, 2, 2, 2, 2]
    np.testing.assert_array_equal(np.concatenate(cut), rows)
    assert [len(b) for b in grid.blocks(rows, 10**9)] == [1] * 10


def test_rounding_bound_by_brute_force():
    features = np.random.default_rng(1).uniform(-1, 1, (4000, 9))
    rounded = np.rint(features / grid.GRID) * grid.GRID
    worst = np.linalg.norm(rounded - features, axis=1).max()
    assert 0.6 * grid.rounding(9) < worst + grid.GRID <= grid.rounding(9)
