# SPDX-License-Identifier: Apache-2.0
"""The network of words against slow loops, on known graphs, and where there is hardly any."""

import time
from collections import Counter
from itertools import combinations

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.metrics.text.word_network import co_occurrences, gini, word_network
from tailweave.clients.metrics.text.words import cleaned
from tailweave.protocols.metrics import check_metric
from tailweave.protocols.streams import stream

NAMES = ("network_density", "network_clustering", "network_modularity", "network_degree_gini")
WORDS = st.sampled_from(["red", "green", "blue", "amber", "the", "ochre", "teal", "x1"])
TEXTS = st.lists(st.lists(WORDS, max_size=14).map(" ".join), max_size=6)


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_co_occurrences_are_those_of_a_slow_loop(texts):
    expected = Counter()
    for text in texts:
        for (i, one), (j, other) in combinations(enumerate(cleaned(text)), 2):
            if j - i < 5 and one != other:
                expected[frozenset((one, other))] += 1
    words, near = co_occurrences(texts)
    found = {frozenset((words[i], words[j])): near[i, j] for i, j in np.argwhere(near)}
    assert found == expected
    assert np.array_equal(near, near.T)


def test_only_the_most_frequent_words_are_nodes_and_the_order_is_fixed():
    names = [f"{a}{b}x" for a in "bcdfghjklmnpqrst" for b in "bcdfghjklmnpqrst"]  # 256
    words, near = co_occurrences([" ".join(names), " ".join(names[:40])])
    assert len(words) == len(near) == 200
    assert words == sorted(names[:40]) + sorted(names[40:])[:160]


def test_two_cliques_with_a_bridge():
    texts = ["red green blue"] * 2 + ["amber ochre teal"] * 2 + ["blue amber"] * 2
    graph = networkx.Graph([(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)])
    found = word_network(texts)
    assert found == {
        "network_density": pytest.approx(7 / 15),
        "network_clustering": pytest.approx((4 * 1 + 2 / 3) / 6),
        "network_modularity": pytest.approx(networkx.community.modularity(graph, [{0, 1, 2}, {3, 4, 5}])),
        "network_degree_gini": pytest.approx(slow_gini([2, 2, 3, 3, 2, 2])),
    }


def slow_gini(values) -> float:
    return sum(abs(x - y) for x in values for y in values) / (2 * len(values) * sum(values))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9))
def test_gini_is_half_the_relative_mean_difference(values):
    expected = slow_gini(values) if sum(values) else 0.0
    assert gini(np.array(values)) == pytest.approx(expected, abs=1e-12)


def test_one_link_is_by_chance_and_does_not_count():
    assert set(word_network(["red green"]).values()) == {0.0}
    assert word_network(["red green"] * 2)["network_density"] == 1.0


@pytest.mark.parametrize("texts", [[], [""], ["spam"], ["spam " * 60] * 3, ["the of and"], ["?"] * 9])
def test_tiny_networks_give_zeros(texts):
    assert word_network(texts) == dict.fromkeys(NAMES, 0.0)


@given(st.lists(st.text(max_size=60), max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_text_gives_numbers_in_range(texts):
    for name, value in word_network(texts * 2).items():
        check_metric(name, value, value)


def test_a_sample_is_quick_and_gives_the_same_again():
    ranks = stream(0, "words").zipf(1.4, size=(300, 60)) % 2000
    letters = "bcdfghjklmnpq"  # no stop word is made of these
    names = [a + b + c for a in letters for b in letters for c in letters]
    texts = [" ".join(names[rank] for rank in row) for row in ranks]
    begun = time.process_time()
    found = word_network(texts)
    assert time.process_time() - begun < 2.0  # .1 s on an idle core; here all cores may be busy
    assert found == word_network(texts)
    assert found["network_density"] > 0
