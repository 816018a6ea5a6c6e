# SPDX-License-Identifier: Apache-2.0
"""Perplexity by group and next-token concentration, of a reader whose probabilities are known."""

import math

import numpy as np
import pytest

from tailweave.clients.metrics.text.model_scores import concentration, perplexities
from tailweave.clients.samples import TEXT, Samples

TRUTH = Samples.of(["a b", "a b c d", "x y z", "x"], ["net", "net", "gui", "gui"], TEXT)


class Reader:
    """Finds each word of a document that begins with x 8 times less likely than one of another."""

    context = 2

    def __init__(self, after):
        self.after = np.asarray(after)

    def encode(self, documents):
        return [[ord(word) for word in document.split()] for document in documents]

    def token_sums(self, documents):
        counts = np.array([float(len(document.split())) for document in documents])
        rates = np.array([math.log(16.0 if document.startswith("x") else 2.0) for document in documents])
        return -rates * counts, counts

    def next_token(self, contexts):
        self.asked = contexts
        return np.tile(self.after, (len(contexts), 1))


def test_perplexity_is_over_the_tokens_of_a_group_together():
    reader = Reader(np.full(200, 1 / 200))
    found = perplexities(reader, TRUTH, {"net"})
    assert found["perplexity_own"] == pytest.approx(2.0)
    assert found["perplexity_unseen"] == pytest.approx(16.0)
    assert found["group_perplexity/net"] == pytest.approx(2.0)
    assert found["group_perplexity/gui"] == pytest.approx(16.0)
    assert found["perplexity"] == pytest.approx(2.0 ** ((6 * 1 + 4 * 4) / 10))  # 6 words of net, 4 of gui
    assert "perplexity_own" not in perplexities(reader, TRUTH, None)
    assert set(perplexities(reader, Samples.of(["a"], sort=TEXT), None)) == {"perplexity"}


def test_a_model_that_rules_documents_out_has_a_finite_perplexity():
    reader = Reader(np.ones(1))
    reader.token_sums = lambda documents: (np.full(len(documents), -1e6), np.ones(len(documents)))
    assert perplexities(reader, TRUTH, None)["perplexity"] == pytest.approx(math.exp(100.0))


def test_concentration_of_known_probabilities():
    even = concentration(Reader(np.full(200, 1 / 200)), TRUTH)
    assert even["top1_mass"] == pytest.approx(1 / 200)
    assert even["top10_mass"] == pytest.approx(10 / 200)
    assert even["next_token_entropy"] == pytest.approx(math.log(100))  # of the hundred likeliest, scaled to 1
    assert even["next_token_gini"] == pytest.approx(0.0, abs=1e-12)
    sure = concentration(Reader([1.0, *[0.0] * 199]), TRUTH)
    assert sure["top1_mass"] == sure["top10_mass"] == 1.0
    assert sure["next_token_entropy"] == 0.0
    assert sure["next_token_gini"] == pytest.approx(0.99)
    halves = concentration(Reader([0.25, 0.5, 0.25, *[0.0] * 97]), TRUTH)
    assert halves["top1_mass"] == 0.5
    assert halves["next_token_entropy"] == pytest.approx(1.5 * math.log(2))


def test_contexts_are_the_beginnings_of_documents_that_are_long_enough():
    reader = Reader(np.full(100, 0.01))
    concentration(reader, TRUTH)
    assert reader.asked == [[97, 98], [97, 98], [120, 121]]
    assert concentration(reader, Samples.of(["a", "b"], sort=TEXT)) == {}
