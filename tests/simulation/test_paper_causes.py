# SPDX-License-Identifier: Apache-2.0
"""Causes and sentences follow from the numbers: with other numbers they change or go."""

import pytest

from tailweave.simulation.measurements import measurements
from tailweave.simulation.paper.causes import by_cause, in_short, with_causes
from tailweave.simulation.paper.orders import Arms, order_findings
from tailweave.simulation.paper.published import orders

PICKS = {
    "random": ("random", None),
    "k-means": ("k-means", None),
    "siloed": ("center-matching", "local"),
    "siloed-cut": ("top-potential", "local"),
    "true": ("center-matching", "oracle"),
    "true-cut": ("top-potential", "oracle"),
    "one": ("nash", "geodesic"),
    "two": ("top-potential", "barycenter"),
    "sliced": ("herding", "sliced"),
}
ENDS = {
    "random": (0.7, 0.2, 0.6, 0.96),
    "k-means": (0.5, 0.4, 0.8, 1.1),
    "siloed": (0.2, 3.8, 0.2, 0.2),
    "siloed-cut": (0.2, 3.5, 0.2, 0.5),
    "true": (0.4, 1.5, 0.1, 0.3),
    "true-cut": (0.55, 0.5, 0.3, 0.8),
    "one": (0.56, 0.7, 0.1, 0.5),
    "two": (0.48, 0.9, 0.05, 0.4),
    "sliced": (0.78, 0.12, 0.7, 1.0),
}
NAMES = ("coverage", "frechet", "recall", "variance_ratio")
CONFIG = {
    "arms": [{"name": name, "rule": rule, "reference": kind} for name, (rule, kind) in PICKS.items()],
    "recursion": {"paradigm": "accumulate-subsample"},
    "generator": {"kind": "gaussian-mixture", "start": "shared"},
    "public": {"fraction": 1.0},
}


def run(changes=(), config=CONFIG, start=0.87):
    ends = ENDS | dict(changes)
    rows = [
        {"arm": arm, "seed": seed, "silo": "silo-0", "generation": g}
        | {name: (v * (1 + 0.001 * seed) if g else start) for name, v in zip(NAMES, values, strict=True)}
        for arm, values in ends.items()
        for seed in (0, 1, 2)
        for g in (0, 10)
    ]
    arms = Arms.of(measurements(rows, list(ends)), config)
    return with_causes(order_findings(orders("biased-verification"), arms), arms, config), arms


def causes(found, quantity):
    return " ".join(next(one.causes for one in found if one.order.quantity == quantity))


def test_a_scheme_below_random_is_explained_by_what_random_keeps_and_by_the_truth():
    found, _ = run()
    told = causes(found, "Fréchet of Scheme I below that of random")
    assert "Random selection still covers 0.701 of the truth, of the 0.870 it began with" in told
    assert "accumulate-subsample refits" in told
    assert "the base it starts from is unbiased" in told
    assert "with the truth itself as reference ends at 0.501, also above random" in told


def test_causes_go_when_their_numbers_go():
    found, _ = run({"random": (0.3, 0.2, 0.6, 0.96), "true-cut": (0.9, 0.1, 0.9, 1.0)})
    assert causes(found, "Fréchet of Scheme I below that of random") == ""
    biased = CONFIG | {"recursion": {"paradigm": "replace"}, "public": {"fraction": 0.3}}
    told = causes(run(config=biased)[0], "Fréchet of Scheme I below that of random")
    assert "it began with: there is little" in told
    assert causes(
        run({"k-means": (0.5, 0.4, 0.8, 0.5)})[0], "Fréchet of k-means below that of random"
    ).startswith("Random selection")


@pytest.mark.parametrize(
    ("scheme", "wanted"),
    [
        ((0.56, 0.7, 0.1, 0.5), "2 times 0.561 is 1.121, and coverage cannot be above 1."),
        ((0.49, 0.7, 0.1, 0.5), "2 times 0.490 is 0.981; the highest coverage of any arm is 0.781 (sliced)."),
    ],
)
def test_a_factor_that_cannot_be_reached_is_named(scheme, wanted):
    quantity = "coverage of herding on the sliced mixture at least twice that of the better scheme"
    assert wanted in causes(run({"one": scheme})[0], quantity)


def test_only_what_differs_has_causes():
    found, _ = run()
    assert {one.verdict for one in found if one.causes} == {"differs"}
    assert {one.verdict for one in found if not one.causes} == {"agrees"}


def test_each_cause_stands_once_with_its_claims():
    found, _ = run()
    gathered = by_cause(found)
    assert len({cause for cause, _ in gathered}) == len(gathered)
    random = next(claims for cause, claims in gathered if cause.startswith("Random selection"))
    assert {"Fréchet of Scheme I below that of random", "recall of Scheme II above that of random"} <= set(
        random
    )
    bare, _ = run({"random": (0.3, 0.2, 0.6, 0.96), "true-cut": (0.9, 0.1, 0.9, 1.0)})
    assert by_cause(bare)[-1][0] == "The run does not say why."


def test_in_short_counts_and_compares():
    found, arms = run()
    tally, siloed, truth, schemes, herding = in_short(found, arms)
    hold, fail = (sum(one.verdict == verdict for one in found) for verdict in ("agrees", "differs"))
    assert tally == f"Of {len(found)} claims on the order of arms, {hold} hold here and {fail} do not."
    assert "2 of 2 rules end with less coverage than random selection (0.701), 2 of them" in siloed
    assert "gain 0.275 of coverage on average, from +0.200 (center-matching) to +0.350" in truth
    assert (
        "Scheme I (0.561) below and Scheme II (0.480) below; the same cut on own rows ends at 0.200"
        in schemes
    )
    assert "17 % of the Fréchet distance of the better scheme (0.120 against 0.701) and 1.39 times" in herding


def test_in_short_changes_side_with_the_numbers():
    found, arms = run({"one": (0.9, 0.1, 0.9, 1.0), "two": (0.8, 0.15, 0.9, 1.0)})
    told = " ".join(in_short(found, arms))
    assert "Scheme I (0.901) above and Scheme II (0.801) above" in told
    assert "The paper has both" not in told
