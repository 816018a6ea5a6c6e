# SPDX-License-Identifier: Apache-2.0
"""Overflows are no oracle: a free question fails or not whatever the rows are."""

import numpy as np
import pytest

from tailweave.clients.data.silo import Silo
from tailweave.clients.node import Node
from tailweave.clients.release.policy import Policy
from tailweave.clients.samples import Samples
from tailweave.clients.summarise_round import summarise
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import Summarise


def test_a_server_that_asks_for_overflows_learns_no_maximum(tmp_path):
    """The red team's bisection: weights so large that a column's maximum decides between error and answer.

    It learnt that maximum to 6e-10 in 36 free questions; now every question has the same fate whatever the
    rows, and so the answers of two silos that differ in that maximum do not differ.
    """
    low, high = fates_of(17.0, tmp_path), fates_of(96.25, tmp_path)
    assert low == high
    assert set(low) == {"feature map weights must be at most 1e+100 in size", ""}


def fates_of(top, folder):
    """Return what each of 36 questions comes to for a silo whose column a has this maximum."""
    values = np.random.default_rng(0).normal(size=(300, 3))
    values[5, 0] = top
    rows = Samples.of(values)
    return [failed(Silo("silo-0", rows, rows), folder / f"{top}-{k}", k) for k in range(36)]


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


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_without_the_bounds_it_would_learn_it(monkeypatch, tmp_path):
    """The control removed: neither parts of the map nor rows nor features are bounded."""
    monkeypatch.setattr("tailweave.protocols.features.LARGEST", np.inf)
    monkeypatch.setattr("tailweave.protocols.features._within", lambda values, bound: values)
    assert fates_of(17.0, tmp_path) != fates_of(96.25, tmp_path)
