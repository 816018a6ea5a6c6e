# SPDX-License-Identifier: Apache-2.0
"""Rules fresh and last-generation: uniform among the real or the newest, of a class too."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.samples import Samples
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.streams import stream

BORN = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
LABELS = np.array(list("aabbaababbbb"))


def given(budget, born=BORN, labels=LABELS) -> Candidates:
    samples = replace(Samples.of(np.zeros((len(born), 1)), labels), born=born)
    return Candidates(samples, lambda found: found.values, budget)


def pick(rule: str, budget, seed: int = 0, **given_as) -> list[int]:
    spec = RULES.kinds[rule](kind=rule)
    return select(spec, given(budget, **given_as), None, rng=stream(seed, "s")).tolist()


@pytest.mark.parametrize(("rule", "all_of_them"), [("fresh", range(4)), ("last-generation", range(7, 12))])
def test_picks_are_uniform_among_those_of_one_generation(rule, all_of_them):
    assert pick(rule, len(all_of_them)) == list(all_of_them)
    picks = [pick(rule, 2, seed) for seed in range(400)]
    assert all(sorted(set(found)) == found for found in picks)
    counts = np.bincount(np.ravel(picks), minlength=12)
    # Binomial(400, 2 / size): 6 standard deviations, so wrong alarms below 1e-7 a place
    share = 2 / len(all_of_them)
    assert np.abs(counts[all_of_them] - 400 * share).max() < 6 * np.sqrt(400 * share * (1 - share))
    assert counts.sum() == counts[all_of_them].sum()


def test_equal_streams_give_equal_picks():
    assert pick("fresh", 2, 5) == pick("fresh", 2, 5)


def test_a_class_that_the_newest_generation_lacks_is_not_looked_for_in_older_ones():
    assert pick("last-generation", {"a": 1, "b": 4}) == [7, 8, 9, 10, 11]
    older = np.where(LABELS == "a", np.minimum(BORN, 1), BORN)
    with pytest.raises(ValueError, match="must pick 1 of the candidates born in generation 2, there are 0"):
        pick("last-generation", {"a": 1, "b": 4}, born=older)


def test_a_count_per_class_among_real_ones():
    assert pick("fresh", {"b": 2, "a": 2}) == [2, 3, 0, 1]
    with pytest.raises(ValueError, match="rule fresh must pick 3 of the real candidates, there are 2"):
        pick("fresh", {"a": 3})


def test_too_few_are_refused_with_what_to_change():
    with pytest.raises(
        ValueError,
        match="rule fresh must pick 5 of the real candidates, there are 4: lower recursion.samples, or give",
    ):
        pick("fresh", 5)
    with pytest.raises(ValueError, match="pick 6 of the candidates born in generation 2, there are 5: lower"):
        pick("last-generation", 6)
