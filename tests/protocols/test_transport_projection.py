# SPDX-License-Identifier: Apache-2.0
"""Maps and potentials against assignments, finite differences of the divergence, and the exact limit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from tailweave.protocols.pot import ot
from tailweave.protocols.transport.projection import calibrated, potential, project, towards


def divergence(x, y, a, b, reg):
    """Sinkhorn divergence by its definition, from POT's plans."""

    def cost(p, q, u, v):
        cost_sq = cdist(p, q, "sqeuclidean")
        plan = ot.sinkhorn(u, v, cost_sq, reg, method="sinkhorn", numItermax=5_000, stopThr=1e-12, warn=False)
        return (plan * cost_sq).sum() + reg * (plan * np.log(plan / (u[:, None] * v[None, :]))).sum()

    return cost(x, y, a, b) - 0.5 * cost(x, x, a, a) - 0.5 * cost(y, y, b, b)


def clouds(seed, n=5, m=6, d=2):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)) + 1.0


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


@pytest.mark.parametrize("reg", [None, 0.8])
def test_one_atom_goes_to_the_mean(reg):
    rows = np.random.default_rng(0).standard_normal((7, 2))
    image = project(np.zeros((1, 2)), rows, entropic_reg=reg).image
    np.testing.assert_allclose(image, rows.mean(axis=0)[None])


def test_by_hand_two_atoms_share_the_middle_row():
    found = project(np.array([[0.0], [4.0]]), np.array([[0.0], [2.0], [4.0]]))
    # each row holds 1/3, each atom 1/2: an atom takes its own row and half of the middle one
    np.testing.assert_allclose(found.image, [[2 / 3], [10 / 3]])
    assert found.cost_sq == pytest.approx(4 / 3)  # a third of the mass over a squared distance of 4


def test_rows_equal_to_the_support_do_not_move_it():
    x = np.random.default_rng(4).standard_normal((9, 3))
    np.testing.assert_allclose(project(x, x[::-1], entropic_reg=2.0).image, x, atol=1e-6)


def test_the_debiased_map_is_the_gradient_step_of_the_divergence():
    x, y = clouds(1)
    equal, others, reg, step = np.full(5, 0.2), np.full(6, 1 / 6), 0.9, 1e-4
    gradient = np.zeros_like(x)
    for i in range(5):
        for j in range(2):
            shift = np.zeros_like(x)
            shift[i, j] = step
            both = [divergence(x + s * shift, y, equal, others, reg) for s in (1, -1)]
            gradient[i, j] = (both[0] - both[1]) / (2 * step)
    image = project(x, y, entropic_reg=reg).image
    np.testing.assert_allclose(image, x - 5 / 2 * gradient, atol=2e-5)  # differences of step^2, sums of 1e-8


def test_without_entropy_both_backends_agree():
    x, y = clouds(2, 8, 8)
    exact = project(x, y)
    gaps = [np.abs(project(x, y, entropic_reg=reg).image - exact.image).max() for reg in (1.0, 0.1, 1e-4)]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-6
    assert project(x, y, entropic_reg=1e-4).cost_sq == pytest.approx(exact.cost_sq, abs=1e-6)


@pytest.mark.parametrize(("reg", "tolerance"), [(None, 1e-9), (0.9, 2e-5)])
def test_potential_is_the_derivative_by_mass(reg, tolerance):
    x, y = clouds(3)
    a, b, step = np.full(5, 0.2), np.arange(1.0, 7) / 21, 1e-4

    def value(masses):
        if reg is None:
            return ot.emd2(masses, b, cdist(x, y, "sqeuclidean"))
        return divergence(x, y, masses, b, reg)

    found = potential(x, y, b, entropic_reg=reg)
    for i in range(1, 5):
        shift = np.zeros(5)
        shift[i], shift[0] = step, -step
        slope = (value(a + shift) - value(a - shift)) / (2 * step)
        assert found[i] - found[0] == pytest.approx(slope, abs=tolerance)


def test_entropic_potential_nears_the_exact_one():
    x, y = clouds(5, 5, 7)  # sums of 1/5 and of 1/7 never agree: the exact dual is unique
    exact = potential(x, y, np.ones(7), entropic_reg=None)
    near = potential(x, y, np.ones(7), entropic_reg=0.005)
    np.testing.assert_allclose(near - near.mean(), exact - exact.mean(), atol=0.05)  # falls as reg log m


def test_calibration_by_hand():
    np.testing.assert_allclose(calibrated(np.array([[1.0, 2.0, 6.0]])), [[-3.0, -1.5, 4.5]])
    f = np.random.default_rng(0).standard_normal(8)
    others = (f.sum() - f) / 7  # the paper prints f_i less the mean of the others
    np.testing.assert_allclose(calibrated(f), f - others)
    assert calibrated(np.array([3.0])).tolist() == [0.0]


def test_a_share_of_the_way():
    x, image = np.zeros((2, 1)), np.array([[1.0], [4.0]])
    np.testing.assert_allclose(towards(x, image, 0.25), [[0.25], [1.0]])
    assert towards(x, image, 1.0).tolist() == image.tolist()
    for t in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"t must be in \(0, 1\], got"):
            towards(x, image, t)


@pytest.mark.parametrize(("atoms", "shared"), [(30, 1.0), (60, 1.0), (31, 0.1)])
def test_the_leak_that_is_announced_is_there(atoms, shared):
    # with as many atoms as rows, or a multiple, every row is an image; with one more, some still are
    rng = np.random.default_rng(6)
    rows, support = rng.standard_normal((30, 5)), rng.standard_normal((atoms, 5))
    image = project(support, rows).image
    given_away = (cdist(rows, image).min(axis=1) < 1e-6).mean()
    assert given_away == shared if shared == 1.0 else given_away > shared


def test_with_fewer_atoms_than_rows_no_row_is_an_image():
    rng = np.random.default_rng(7)
    rows, support = rng.standard_normal((30, 5)), rng.standard_normal((20, 5))
    assert cdist(rows, project(support, rows).image).min() > 0.01


def test_bad_inputs():
    x = np.zeros((2, 2))
    with pytest.raises(ValueError, match="rows must have 2 columns, got 3"):
        project(x, np.zeros((4, 3)))
    with pytest.raises(ValueError, match="support must be finite"):
        project(x * np.nan, x)
    with pytest.raises(ValueError, match="entropic_reg must be finite and positive, got 0"):
        project(x, x, entropic_reg=0.0)
    with pytest.raises(ValueError, match="2 columns, got 3"):
        potential(x, np.zeros((4, 3)), np.ones(4), entropic_reg=None)
