# SPDX-License-Identifier: Apache-2.0
"""What the report says about privacy: promises, warnings, whose noise, masks, and rows that leak."""

import pytest

from tailweave.simulation import summary as summaries
from tailweave.simulation.report import privacy


def summarise(rows, config, **beside):
    return summaries.summarise(summaries.measured(rows, config), config, **beside)


SLICED = {"kind": "sliced", "directions": 8, "coefficients": 2}
ARMS = (
    {"name": "siloed", "rule": "herding", "reference": {"kind": "local"}},
    {"name": "anchored", "rule": "herding", "reference": {"kind": "public"}},
    {"name": "open", "rule": "herding", "reference": SLICED, "epsilon": None},
    {"name": "noised", "rule": "herding", "reference": SLICED, "epsilon": 2.0},
)
CONFIG = {"name": "p", "arms": list(ARMS), "privacy": {"epsilon": None, "delta": 1e-6}}


def summary_of(config, *, events=(), wire=(), arms=None):
    rows = [
        {"arm": arm["name"], "seed": seed, "silo": "silo-0", "generation": 0, "frechet": float(1 + i + seed)}
        for i, arm in enumerate(config["arms"])
        for seed in (0, 1)
        if arms is None or arm["name"] in arms
    ]
    return summarise(rows, config, wire=wire, events=events)


def sent(kind, noise, epsilon=2.0):
    return {
        "round": "summarise", "seed": 0, "silo": "silo-0", "kind": kind, "arm": None,
        "fields": {"sums": {"shape": [8, 2], "dtype": "float64"}}, "bytes": 200,
        "privacy": {"epsilon": epsilon, "delta": 1e-6, "noise": noise},
    }  # fmt: skip


def test_each_arm_says_what_it_promises():
    table = privacy.arms(summary_of(CONFIG))
    shown = {line.head: [cell.text for cell in line.cells[1:]] for line in table.lines}
    assert shown["siloed"][-1] == "releases no summary"
    assert shown["noised"] == ["2", "1e-06", "Gaussian noise on a sliced cosine sketch"]
    assert shown["open"][0] == "none"
    marks = {line.head: line.cells[1].mark for line in table.lines}
    assert marks["open"] == "danger"
    assert marks["noised"] != "danger"


@pytest.mark.parametrize(
    ("epsilon", "names", "said"),
    [
        (None, ("open", "noised"), "No differential privacy in open: simulation only."),
        (None, ("open",), "No differential privacy: simulation only."),
        (2.0, ("noised",), None),
    ],
)
def test_what_is_not_noised_is_named(epsilon, names, said):
    config = {**CONFIG, "arms": [a for a in ARMS if a["name"] in names]}
    wire = [sent("sliced", "none" if epsilon is None else "seeded", epsilon)]
    assert privacy.unprotected(summary_of(config, wire=wire)) == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], []),
        ([sent("sliced", "none", None)], []),
        ([sent("sliced", "seeded")], [privacy.SEEDED]),
        ([sent("sliced", "system")], [privacy.SYSTEM]),
    ],
)
def test_the_source_of_noise_is_named(rows, said):
    assert privacy.notes(CONFIG, rows) == said


def test_masks_and_leaking_rows_are_named():
    masked = {**CONFIG, "privacy": {"epsilon": 2.0, "secure-aggregation": True, "honest-silos": 3}}
    (said,) = privacy.notes(masked, [])
    assert said.startswith(privacy.MASKED)
    assert "at least 3 silos" in said
    (leak,) = privacy.notes(CONFIG, [sent("geodesic", "none", None)])
    assert leak.startswith("Reference geodesic ")
    assert "rows" in leak


def test_sums_under_masks_are_told_once():
    event = {
        "event": "summed", "seed": 0, "round": "summarise", "arm": None, "silo": None,
        "silos": ["silo-0", "silo-1", "silo-2"], "left-out": [], "attempts": 1, "reason": "…",
    }  # fmt: skip
    late = event | {"seed": 2, "left-out": ["silo-3"], "attempts": 2}
    said = privacy.summed(summary_of(CONFIG, events=[event, event | {"seed": 1}, late]))
    assert said == [
        "Summed under masks: silo-0, silo-1 and silo-2.",
        "Summed under masks: silo-0, silo-1 and silo-2, without silo-3; tried 2 times.",
    ]


def test_retention_in_words_gives_the_numbers():
    said = privacy.retention_in_words(summary_of(CONFIG), CONFIG)
    assert said.startswith("Fréchet at the last generation against ε.")
    assert said.index("ε 2: 4.5") < said.index("ε none: 3.5") < said.index("siloed: 1.5")
    assert "anchored: 2.5" in said
