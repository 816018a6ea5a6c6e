# SPDX-License-Identifier: Apache-2.0
"""A silo's answers to hello and summarise: what they hold, and that asking twice computes nothing twice."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.hello_round import hello
from tailweave.clients.summarise_round import summarise
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import Hello, Summarise
from tailweave.protocols.references import read_summary

SLICED = SlicedReference(kind="sliced", directions=8, coefficients=3)
QUANTIZED = QuantizedReference(kind="quantized", clusters=4)


def ask_summary(node, kit, spec=SLICED, **privacy):
    question = Summarise(
        run="test-run",
        seed=7,
        reference=spec,
        privacy=PrivacySpec(**privacy),
        arrays=with_prefix("features", kit.features.arrays()),
    )
    return summarise(node, question)


def test_hello_says_columns_and_a_bucket_of_rows(node):
    reply = hello(node, Hello(run="test-run", seed=7))
    assert (reply.run, reply.seed, reply.silo, reply.columns) == ("test-run", 7, "silo-0", 3)
    assert reply.rows_at_least == 50  # of 60 training rows; the held-out 30 do not count
    assert reply.arrays == {}


def test_a_summary_is_of_the_training_rows_in_feature_space(node, kit):
    summary = read_summary(ask_summary(node, kit, QUANTIZED, min_cluster_size=10).arrays, QUANTIZED, 2)
    assert summary.counts.sum() == 60
    assert summary.counts.min() >= 10
    mean = summary.counts @ summary.centroids / 60
    np.testing.assert_allclose(mean, kit.features(node.silo.train.values).mean(axis=0), atol=1e-12)


def test_a_sketch_counts_the_training_rows(node, kit):
    reply = ask_summary(node, kit)
    assert reply.arrays["count"].tolist() == [60.0]
    assert reply.arrays["sums"].shape == (8, 3)
    assert reply.reference == SLICED


@pytest.mark.parametrize("spec", [SLICED, QUANTIZED])
def test_the_same_question_gets_the_same_summary(node, kit, spec):
    one, two = (ask_summary(node, kit, spec).arrays for _ in range(2))
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_too_few_rows_for_a_cluster_are_refused(node, kit):
    with pytest.raises(ValueError, match="at least min-cluster-size = 61 rows"):
        ask_summary(node, kit, QUANTIZED, min_cluster_size=61)


def test_columns_that_do_not_fit_the_map_are_refused(node, kit):
    narrow = replace(kit.features, offset=np.zeros(2), weights=np.eye(2))
    with pytest.raises(ValueError, match="rows must have 2 columns, got 3"):
        ask_summary(node, replace(kit, features=narrow))
