# SPDX-License-Identifier: Apache-2.0
"""Exact and entropic plans against POT, SciPy's assignment and the definition of the entropic optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from tailweave.protocols.pot import ot
from tailweave.protocols.transport import coupling


def case(seed, n=7, m=5, d=2):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal((m, d)) + 0.5
    return x, y, rng.random(n) + 0.1, rng.random(m) + 0.1


def test_exact_by_hand():
    # two points on a line, masses 3:1 against 1:1: half stays, a quarter of the mass goes from 0 to 2
    found = coupling.exact(
        np.array([[0.0], [2.0]]), np.array([[0.0], [2.0]]), np.array([3.0, 1.0]), np.ones(2)
    )
    np.testing.assert_allclose(found.plan, [[0.5, 0.25], [0.0, 0.25]], atol=1e-12)
    assert found.cost_sq == pytest.approx(1.0)  # a quarter of the mass over a squared distance of 4


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9))
def test_exact_is_feasible_and_as_cheap_as_its_duals_prove(seed, n, m):
    x, y, a, b = case(seed, n, m)
    found = coupling.exact(x, y, a, b)
    np.testing.assert_allclose(found.plan.sum(axis=1), a / a.sum(), atol=1e-12)
    np.testing.assert_allclose(found.plan.sum(axis=0), b / b.sum(), atol=1e-12)
    best = (cdist(x, y, "sqeuclidean") - found.potential[:, None]).min(axis=0)
    assert found.potential @ a / a.sum() + best @ b / b.sum() == pytest.approx(found.cost_sq, abs=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.5, 20.0))
def test_entropic_agrees_with_pot_in_the_log_domain(seed, reg):
    x, y, a, b = case(seed)
    a, b = a / a.sum(), b / b.sum()
    cost_sq = cdist(x, y, "sqeuclidean")
    theirs = ot.sinkhorn(a, b, cost_sq, reg, method="sinkhorn_log", numItermax=10_000, stopThr=1e-10)
    found = coupling.entropic(x, y, a, b, reg)
    np.testing.assert_allclose(found.plan, theirs, atol=2e-6)  # ours stops at a marginal error of 1e-6
    assert found.cost_sq == pytest.approx((theirs * cost_sq).sum(), abs=5e-5)


def test_entropic_potential_explains_the_plan():
    # at the optimum reg log P_ij + |x - y|^2 = f_i + g_j, so it less f depends on j alone
    x, y, a, b = case(3)
    found = coupling.entropic(x, y, a, b, 0.7)
    rest = 0.7 * np.log(found.plan) + cdist(x, y, "sqeuclidean") - found.potential[:, None]
    assert np.ptp(rest, axis=0).max() < 1e-9


@pytest.mark.parametrize("reg", [1e-4, 1e-6])
def test_a_kernel_that_would_underflow_does_not(reg):
    # the cost over reg reaches 1e7: exp of minus that is 0 in float64
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 12, 2))
    y = y + 2
    order = linear_sum_assignment(cdist(x, y, "sqeuclidean"))[1]
    found = coupling.entropic(x, y, np.ones(12), np.ones(12), reg)
    np.testing.assert_allclose(12 * found.plan[np.arange(12), order], 1.0, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(2.0, 20.0))
def test_onto_itself_it_is_the_symmetric_solution(seed, reg):
    x, _, a, _ = case(seed)
    found = coupling.entropic_self(x, a, reg)
    general = coupling.entropic(x, x, a, a, reg)
    np.testing.assert_allclose(found.plan, general.plan, atol=2e-6)
    assert (found.plan == found.plan.T).all()
    both = found.potential[:, None] + found.potential[None, :] - cdist(x, x, "sqeuclidean")
    np.testing.assert_allclose(found.plan, np.exp(both / reg), atol=1e-12)


def test_what_does_not_converge_is_refused(monkeypatch):
    x, y, a, b = case(1)
    monkeypatch.setattr(coupling, "SWEEPS", 1)
    message = r"entropic transport of 7 x 5 did not converge at entropic-reg 0.01: .* raise entropic-reg"
    with pytest.raises(ArithmeticError, match=message):
        coupling.entropic(x, y, a, b, 0.01)
    with pytest.raises(ArithmeticError, match="of 7 x 7 did not converge at entropic-reg 1:"):
        coupling.entropic_self(x, a, 1.0)


@pytest.mark.parametrize("reg", [0.0, -1.0, np.nan, np.inf])
def test_a_strength_that_is_none_is_refused(reg):
    x, y, a, b = case(0)
    with pytest.raises(ValueError, match="entropic_reg must be finite and positive, got"):
        coupling.entropic(x, y, a, b, reg)
    with pytest.raises(ValueError, match="entropic_reg must be finite and positive, got"):
        coupling.entropic_self(x, a, reg)


def test_bad_input():
    x, y, a, b = case(0)
    with pytest.raises(ValueError, match="rows must have 2 columns, got 1"):
        coupling.exact(x, y[:, :1], a, b)
    with pytest.raises(ValueError, match="one a point: 7 and 5 points, 6 and 5 masses"):
        coupling.exact(x, y, a[1:], b)
    with pytest.raises(ValueError, match="masses must be positive"):
        coupling.exact(x, y, np.array([0.0, 1, 1, 1, 1, 1, 1]), b)
    with pytest.raises(ValueError, match="points must be finite"):
        coupling.entropic(x * np.nan, y, a, b, 1.0)
