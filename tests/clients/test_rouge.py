# SPDX-License-Identifier: Apache-2.0
"""Rule rouge against a slow loop over counts of words, and the samples that it needs."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.samples import TEXT, Samples
from tailweave.clients.selection import rouge, select
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.rouge import rouge_1
from tailweave.protocols.kinds.rules.text import Rouge
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream

SPEC = Rouge(kind="rouge")
REFERENCE = Empirical.of(np.zeros((1, 1)))
SENTENCES = st.lists(st.sampled_from(["the", "The", "cat", "sat,", "on", "mat.", "2", "--"]), max_size=9)
TEXTS = st.lists(SENTENCES.map(" ".join), min_size=1, max_size=7)


def slow(document: str, references: list[str]) -> float:
    own, best = Counter(re.findall(r"[a-z0-9]+", document.lower())), 0.0
    for text in references:
        held = Counter(re.findall(r"[a-z0-9]+", text.lower()))
        shared = sum(min(own[word], held[word]) for word in own)
        if shared:
            precision, recall = shared / own.total(), shared / held.total()
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def test_a_known_answer():
    # 3 of 4 and of 6 words are shared, "the" once only: P = 3/4, R = 1/2, F = .6
    assert rouge_1(["the cat the sat"], ["the cat sat on his mat"])[0] == pytest.approx(0.6)
    assert rouge_1(["A cat!", "a dog", "", "a cat"], ["dogs", "a cat"]).tolist() == [1.0, 0.5, 0.0, 1.0]


@given(TEXTS, TEXTS)
@settings(max_examples=60, deadline=None)
def test_it_is_the_slow_loop(documents, references):
    expected = [slow(text, references) for text in documents]
    assert rouge_1(documents, references) == pytest.approx(expected, abs=1e-12)


@given(TEXTS, TEXTS, st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_blocks_change_nothing(documents, references, size):
    whole = rouge_1(documents, references)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rouge, "_BLOCK", size)
        assert rouge_1(documents, references).tolist() == whole.tolist()


def test_where_no_reference_has_a_word_all_are_alike():
    assert rouge_1(["a", ""], ["", "?!"]).tolist() == [0.0, 0.0]


def pick(texts, budget, compared=("a cat sat", "a dog"), labels=None) -> list[int]:
    known = None if compared is None else Samples.of(list(compared), sort=TEXT)
    candidates = Candidates(Samples.of(texts, labels, TEXT), None, budget, compared=known)
    return select(SPEC, candidates, REFERENCE, rng=stream(0, "s")).tolist()


def test_the_rule_keeps_the_highest_and_ties_go_to_the_lower_index():
    texts = ["a mouse", "a cat", "a dog", "nothing", "a dog", ""]
    assert pick(texts, 2) == [2, 4]
    assert pick(texts, 1) == [2]
    assert pick(texts, 6) == [0, 1, 2, 3, 4, 5]
    assert pick(texts, {"x": 1, "y": 2}, labels=list("xxxyyy")) == [2, 3, 4]


def test_samples_of_the_reference_must_be_here():
    with pytest.raises(ValueError, match="rule rouge reads the samples that its reference was made of"):
        pick(["a"], 1, None)
    with pytest.raises(ValueError, match="rule rouge takes samples of sort text, got numbers"):
        select(SPEC, Candidates.of(np.eye(3), 1), Empirical.of(np.eye(3)), rng=stream(0, "s"))
