# SPDX-License-Identifier: Apache-2.0
"""Overflows are no oracle: a free question fails or not whatever the rows are."""

import numpy as np

from clients.data.rows import Rows
from clients.data.silo import Silo
from clients.node import Node
from clients.release.policy import Policy
from clients.rounds import summarise
from protocols.config.privacy import PrivacySpec
from protocols.config.references import SlicedReference
from protocols.messages import Summarise, with_prefix


def test_a_server_that_asks_for_overflows_learns_no_maximum(tmp_path):
    """The red team's bisection: weights so large that a column's maximum decides between error and answer.

    It learnt that maximum to 6e-10 in 36 free questions; now every question has the same fate whatever the
    rows, and so the answers of two silos that differ in that maximum do not differ.
    """
    fates = {}
    for top in (17.0, 96.25):
        values = np.random.default_rng(0).normal(size=(300, 3))
        values[5, 0] = top
        rows = Rows(values, None, ("a", "b", "c"))
        fates[top] = [failed(Silo("silo-0", rows, rows), tmp_path / f"{top}-{k}", k) for k in range(36)]
    assert fates[17.0] == fates[96.25]
    assert set(fates[17.0]) == {"feature map weights must be at most 1e+100 in size", ""}


def failed(silo, state, question):
    """Ask for a noised sketch through a map whose product leaves float64 from some value of column a on."""
    weights = np.zeros((3, 2))
    weights[0] = 1.7e308 / (15.0 + 3.0 * question) if question < 30 else 1e100
    features = {"offset": np.zeros(3), "weights": weights, "center": np.zeros(2), "scale": np.ones(1)}
    asked = Summarise(
        run="free",
        seed=0,
        reference=SlicedReference(kind="sliced", directions=8),
        privacy=PrivacySpec(epsilon=2.0, delta=1e-6),
        arrays=with_prefix("features", features),
    )
    try:
        summarise(Node(silo, state, None, None, Policy()), asked)
    except ValueError as error:
        return str(error).split(",")[0]
    return ""
