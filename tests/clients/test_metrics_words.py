# SPDX-License-Identifier: Apache-2.0
"""Measures of words: known answers, degenerate texts, and any text whatever."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.metrics.text.words import (
    cleaned,
    distinct_n,
    lexical_entropies,
    lexical_entropy,
    normalised_entropy,
    of_words,
    repetition,
    some,
    spoken,
    type_token_ratio,
)
from tailweave.protocols.metrics import check_metric

LOOPS = ["the cat sat on " * 15, "." * 60, ">>> " * 60, "spam " * 60]
HUMAN = ["Colours fade; paper keeps them longer than canvas does, if nobody opens the drawer."]


def test_words_are_cleaned_as_published():
    assert cleaned("The cats' 2 tails, and THE dog-house\nis café") == ["cats", "tails", "doghouse", "caf"]
    assert cleaned("the, (And) x1 ... \t") == ["x"]  # "the," is a stop word only once its comma is gone
    assert spoken("Don't -- stop_it") == ["don", "'", "t", "-", "-", "stop_it"]


def test_entropy_of_known_shares():
    assert normalised_entropy(["a"] * 2 + ["b", "c"]) == pytest.approx(1.5 / 2)
    assert normalised_entropy(["a", "b", "c"]) == pytest.approx(1.0)
    assert [normalised_entropy(words) for words in ([], ["a"], ["a"] * 9)] == [0.0, 0.0, 0.0]
    texts = ["red red green blue", "spam spam", "", "amber ochre"]
    assert lexical_entropies(texts) == pytest.approx([0.75, 0.0, 0.0, 1.0])
    assert lexical_entropy(texts) == pytest.approx(1.75 / 4)


def test_types_over_tokens():
    assert type_token_ratio(["red red green blue", "", "amber ochre"]) == pytest.approx((0.75 + 0 + 1) / 3)


def test_distinct_and_repeated_runs_of_words():
    assert distinct_n(["a b a b", "a b"], 2) == pytest.approx(2 / 4)  # ab ba ab ab
    assert distinct_n(["a b a"], 1) == pytest.approx(2 / 3)
    assert repetition(["a b c d a b c d"]) == pytest.approx(1 / 5)  # abcd bcda cdab dabc abcd
    assert repetition(["a b c d", "a a a a", ""]) == 0.0
    assert repetition(["a a a a a a"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_of_tokens_is_seen(loop):
    assert repetition([loop] * 20) > 0.9
    assert distinct_n([loop] * 20, 2) < 0.01
    assert repetition(HUMAN) == 0.0
    assert distinct_n(HUMAN, 2) == 1.0


def test_a_loop_of_one_word_has_no_entropy():
    found = of_words(["spam " * 60])
    assert found == {
        "lexical_entropy": 0.0,
        "type_token_ratio": pytest.approx(1 / 60),
        "distinct_2": pytest.approx(1 / 59),
        "repetition": pytest.approx(56 / 57),
    }


def test_samples_of_unequal_size_compare():
    texts = [f"word{i} word{i % 7} word{i % 11}" for i in range(900)]
    assert len(some(texts)) == 300
    assert some(texts)[0] == texts[0]
    assert some(texts)[-1] == texts[-1]
    assert distinct_n(texts, 2) == distinct_n(some(texts), 2)
    assert some([]) == []


@given(st.lists(st.text(max_size=40), max_size=8))
@settings(max_examples=40, deadline=None)
def test_any_text_gives_numbers_in_range(documents):
    for name, value in of_words(documents).items():
        assert math.isfinite(value)
        check_metric(name, value, value)


def test_nothing_gives_nothing():
    for documents in ([], [""], ["", "the", "?"]):
        assert of_words(documents) == dict.fromkeys(of_words(documents), 0.0)


def test_runs_have_a_length():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        distinct_n(["a"], 0)
