# SPDX-License-Identifier: Apache-2.0
"""What a rule chooses from: features and scores on first use, and a count per class."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.samples import Samples
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream

X = stream(0, "candidates").normal(size=(60, 2))
LABELS = np.array(["a", "b", "c"])[stream(0, "labels").integers(3, size=60)]
SURPRISE = (X**2).sum(axis=1)
REFERENCE = Empirical.of(stream(0, "reference").normal(size=(40, 2)))


def rule(name: str):
    return RULES.kinds[name](kind=name)


def given(budget, labels=LABELS) -> Candidates:
    scorers = {"surprise": lambda samples: (np.asarray(samples) ** 2).sum(axis=1)}
    return replace(Candidates.of(X, budget, labels), scorers=scorers)


def test_features_are_mapped_once_and_only_when_asked_for():
    calls = []

    def space(samples):
        calls.append(len(samples))
        return 2.0 * samples.values

    candidates = Candidates(Samples.of(X), space, 5)
    select(rule("random"), candidates, None, rng=stream(0, "s"))
    assert not calls
    assert np.array_equal(candidates.features, 2.0 * X)
    assert np.array_equal(candidates.features, 2.0 * X)
    assert calls == [60]


@pytest.mark.parametrize("name", ["random", "herding", "top-potential", "surplexity", "k-means"])
def test_a_count_per_class_is_the_rule_in_each_class(name):
    wanted = {"c": 4, "a": 7, "b": 0}
    reference = REFERENCE if rule(name).compares != "nothing" else None
    picks = select(rule(name), given(wanted), reference, rng=stream(0, "s"))
    assert len(set(picks.tolist())) == len(picks) == given(wanted).count == 11
    labels, counts = np.unique(LABELS[picks], return_counts=True)
    assert dict(zip(labels.tolist(), counts.tolist(), strict=True)) == {"a": 7, "c": 4}
    if name in ("herding", "top-potential"):
        mine = np.flatnonzero(LABELS == "a")
        alone = select(rule(name), Candidates.of(X[mine], 7), reference, rng=stream(0, "s"))
        assert mine[alone].tolist() == picks[4:].tolist()


def test_a_score_is_asked_for_once_and_only_by_a_rule_that_needs_it():
    calls = []

    def surprise(samples):
        calls.append(len(samples))
        return (np.asarray(samples) ** 2).sum(axis=1)

    candidates = replace(given({"a": 3, "b": 2}), scorers={"surprise": surprise})
    select(rule("herding"), candidates, REFERENCE, rng=stream(0, "s"))
    assert not calls
    select(rule("surplexity"), candidates, None, rng=stream(0, "s"))
    assert calls == [60]


@pytest.mark.parametrize(("name", "sign"), [("surplexity", -1.0), ("low-perplexity", 1.0)])
def test_surprise_rules_are_a_sort(name, sign):
    picks = select(rule(name), given(9), None, rng=stream(0, "s"))
    assert picks.tolist() == sorted(np.argsort(sign * SURPRISE)[:9].tolist())


def test_ties_of_surprise_go_to_the_lower_index():
    flat = replace(Candidates.of(X, 5), scorers={"surprise": lambda samples: np.zeros(len(samples))})
    for name in ("surplexity", "low-perplexity"):
        assert select(rule(name), flat, None, rng=stream(0, "s")).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("candidates", "name", "message"),
    [
        (given({"a": 3}, None), "random", "a count per class needs labels"),
        (given({"a": 3, "z": 1}), "random", "count of class 'z' must be 0 to 0, got 1"),
        (given({"a": 61}), "random", r"count of class 'a' must be 0 to \d+, got 61"),
        (Candidates.of(X, 5), "surplexity", "candidates have no score 'surprise'; there are: none"),
        (
            replace(given(5), scorers={"surprise": lambda samples: np.full(len(samples), np.nan)}),
            "surplexity",
            "score surprise must be 60 finite numbers",
        ),
        (replace(given(5), scorers={"surprise": lambda _: np.zeros(3)}), "surplexity", r"got shape \(3,\)"),
    ],
)
def test_what_is_lacking_is_named(candidates, name, message):
    with pytest.raises(ValueError, match=message):
        select(rule(name), candidates, None, rng=stream(0, "s"))
