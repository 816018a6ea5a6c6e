# SPDX-License-Identifier: Apache-2.0
"""Rule gated-herding against sorting and herding done by hand, between surplexity and herding."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.gated_herding import gated_herding
from tailweave.clients.selection.herding import herding
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream

X = stream(0, "x").normal(size=(80, 2))
SURPRISE = stream(0, "surprise").normal(size=80)
RNG = stream(0, "windows")  # nothing is drawn: few candidates
REFERENCE = Empirical.of(stream(0, "reference").normal(size=(30, 2)))


@pytest.mark.parametrize(
    ("count", "gate", "passing"), [(10, 2.0, 20), (7, 1.5, 10), (30, 2.5, 75), (9, 1.1, 10)]
)
def test_herding_among_the_most_surprising(count, gate, passing):
    passed = sorted(range(80), key=lambda at: -SURPRISE[at])[:passing]
    expected = np.array(sorted(passed))[herding(REFERENCE, X[sorted(passed)], count)]
    found = gated_herding(REFERENCE, X, SURPRISE, count, gate=gate, rng=RNG)
    assert found.tolist() == expected.tolist()
    assert set(found) <= set(passed)


def test_the_narrowest_gate_is_surplexity_and_the_widest_herding():
    narrow = gated_herding(REFERENCE, X, SURPRISE, 12, gate=1.0, rng=RNG)
    assert sorted(narrow.tolist()) == sorted(np.argsort(-SURPRISE)[:12].tolist())
    for gate in (80 / 12, 1000.0):
        wide = gated_herding(REFERENCE, X, SURPRISE, 12, gate=gate, rng=RNG)
        assert wide.tolist() == herding(REFERENCE, X, 12).tolist()


def test_ties_of_surprise_pass_by_the_lower_index():
    assert set(gated_herding(REFERENCE, X, np.zeros(80), 5, gate=2.0, rng=RNG)) <= set(range(10))


def test_the_rule_has_its_option_and_a_count_per_class():
    labels = np.where(X[:, 0] > 0, "right", "left")
    scorers = {"surprise": lambda samples: SURPRISE}
    given = replace(Candidates.of(X, 8, labels), scorers=scorers)
    spec = RULES.kinds["gated-herding"]
    picks = select(spec(kind="gated-herding", gate=1.5), given, REFERENCE, rng=stream(0, "s"))
    assert picks.tolist() == gated_herding(REFERENCE, X, SURPRISE, 8, gate=1.5, rng=RNG).tolist()
    by_class = replace(given, budget={"left": 3})
    mine = np.flatnonzero(labels == "left")
    picks = select(spec(kind="gated-herding"), by_class, REFERENCE, rng=stream(0, "s"))
    assert (
        picks.tolist()
        == mine[gated_herding(REFERENCE, X[mine], SURPRISE[mine], 3, gate=2.0, rng=RNG)].tolist()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be in 1..80"),
        ({"count": 81}, r"count must be in 1..80 \(the candidates\), got 81"),
        ({"gate": 0.9}, "gate must be at least 1, got 0.9"),
        ({"gate": float("nan")}, "gate must be at least 1, got nan"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gated_herding(REFERENCE, X, SURPRISE, **{"count": 5, "gate": 2.0, "rng": RNG} | options)
