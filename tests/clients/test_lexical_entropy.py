# SPDX-License-Identifier: Apache-2.0
"""Rule lexical-entropy: known entropies decide, ties and classes as for every rule."""

import numpy as np
import pytest

from tailweave.clients.metrics.text.words import lexical_entropies
from tailweave.clients.samples import TEXT, Samples
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.kinds.rules.text import LexicalEntropy
from tailweave.protocols.streams import stream

SPEC = LexicalEntropy(kind="lexical-entropy")
TEXTS = ["spam spam spam spam", "red green blue", "", "red red green blue", "the and of", "amber ochre"]
"""Normalised entropies 0, 1, 0, .75, 0 and 1."""


def pick(texts, budget, labels=None) -> list[int]:
    candidates = Candidates(Samples.of(texts, labels, TEXT), None, budget)
    return select(SPEC, candidates, None, rng=stream(0, "s")).tolist()


def test_the_most_evenly_spread_words_are_kept():
    assert pick(TEXTS, 2) == [1, 5]
    assert pick(TEXTS, 3) == [1, 3, 5]
    assert pick(TEXTS, 6) == [0, 1, 2, 3, 4, 5]


def test_ties_go_to_the_lower_index():
    assert pick(TEXTS, 1) == [1]
    assert pick(["same words"] * 4, 2) == [0, 1]


def test_it_is_a_sort():
    rng = stream(0, "texts")
    texts = [" ".join(f"w{chr(97 + letter)}" for letter in rng.integers(9, size=12)) for _ in range(40)]
    expected = sorted(range(40), key=lambda at: (-lexical_entropies(texts)[at], at))[:13]
    assert pick(texts, 13) == sorted(expected)


def test_a_count_per_class_chooses_in_each():
    assert pick(TEXTS, {"b": 1, "a": 2}, list("aaabbb")) == [5, 0, 1]


def test_numbers_have_no_words():
    with pytest.raises(ValueError, match="rule lexical-entropy takes samples of sort text, got numbers"):
        select(SPEC, Candidates.of(np.eye(3), 1), None, rng=stream(0, "s"))
