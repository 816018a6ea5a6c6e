# SPDX-License-Identifier: Apache-2.0
"""The weighted Nash product: its maximiser against arXiv 2605.07724 and SciPy, and rule nash."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from tailweave.clients.curation.nash_product import log_product, nash_shares
from tailweave.clients.selection.nash import gains
from tailweave.protocols.streams import stream


def test_the_product_in_the_log():
    utility, weights = np.array([[1.0, 2.0, 4.0], [8.0, 2.0, 1.0]]), [0.25, 0.75]
    expected = np.log(utility[0] ** 0.25 * utility[1] ** 0.75)
    np.testing.assert_allclose(log_product(np.log(utility), weights), expected, rtol=1e-14)


def test_rule_nash_takes_what_raises_it_most():
    """The greedy gain of a candidate is the rise of the product of 1 + z, silo by silo."""
    rng = stream(0, "u")
    utility, weights, base = rng.random((3, 20)), np.array([0.2, 0.3, 0.5]), rng.uniform(1, 9, 3)
    after = log_product(np.log(base[:, None] + utility), weights)
    before = log_product(np.log(base[:, None]), weights)
    np.testing.assert_allclose(gains(utility, weights, base), after - before, atol=1e-14)


@given(st.floats(0.01, 0.99), st.floats(0.1, 50.0), st.floats(0.1, 50.0))
@settings(max_examples=30, deadline=None)
def test_two_parties_share_by_their_weights(q, mine, theirs):
    utility = np.array([[mine, -3.0], [1.0, 1.0 + theirs]])
    found = nash_shares(utility, [-3.0, 1.0], [q, 1 - q])
    np.testing.assert_allclose(found, [q, 1 - q], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_three_parties_and_four_distributions_against_scipy(seed):
    rng = stream(seed, "parties")
    utility, weights = rng.random((3, 4)) + 0.05, rng.dirichlet(np.ones(3))
    shares = nash_shares(utility, np.zeros(3), weights)

    def loss(alpha):
        return -float(weights @ np.log(utility @ alpha))

    bounded = {"bounds": [(0, 1)] * 4, "constraints": {"type": "eq", "fun": lambda a: a.sum() - 1}}
    best = minimize(
        loss, np.full(4, 0.25), method="SLSQP", options={"ftol": 1e-14, "maxiter": 500}, **bounded
    )
    assert shares.sum() == pytest.approx(1.0, abs=1e-12)
    assert loss(shares) <= best.fun + 1e-7


@pytest.mark.parametrize(
    ("utility", "disagreement", "weights", "said"),
    [
        ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0], [0.5, 0.6], "weights must sum to 1"),
        ([[1.0, 0.0], [0.0, 1.0]], [0.0], [0.5, 0.5], r"disagreement must have shape \(2,\), one a party"),
        ([[1.0, 0.0], [0.0, 1.0]], [0.5, 0.0], [0.5, 0.5], "utility must be nowhere below disagreement"),
        ([[1.0, 1.0], [0.0, 1.0]], [1.0, 0.0], [0.5, 0.5], "and above it once a row"),
        ([[1.0, np.nan]], [0.0], [1.0], "utility must be finite"),
    ],
)
def test_bad_parties(utility, disagreement, weights, said):
    with pytest.raises(ValueError, match=said):
        nash_shares(utility, disagreement, weights)


def test_no_party_or_too_few_weights():
    with pytest.raises(ValueError, match="logs must hold one array or more"):
        log_product([], [])
    with pytest.raises(ValueError, match="shorter"):
        log_product([np.zeros(2), np.zeros(2)], [1.0])
