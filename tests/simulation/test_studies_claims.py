# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tailweave.protocols.kinds.studies.families import FAMILIES
from tailweave.simulation.paper.closed_forms import accumulate_ratio, decay_exponent, replace_ratio
from tailweave.simulation.paper.gaussian import SETTINGS
from tailweave.simulation.studies.base import study_of
from tailweave.simulation.studies.claims import Claim, Rule, findings, loglog_slope, measured
from tailweave.simulation.studies.config import STUDIES


def published(study):
    return study_of(STUDIES.kinds[study](study=study)).claims()


def rows(values, metric="x"):
    return [{"seed": seed, "generation": 3, metric: value} for seed, value in enumerate(values)]


def verdict(rule, published, values):
    (found,) = findings([Claim("s", "q", published, "src", rule, metric="x", at=3)], rows(values))
    return found.agrees


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        (Rule("within", 0.5), 2.49, 2.51),
        (Rule("sems", 2, sem=0.25), 1.51, 1.49),
        (Rule("factor", 1.6), 2 * 1.59, 2 * 1.61),
        (Rule("factor", 1.6), 2 / 1.59, 2 / 1.61),
        (Rule("factor", 1.6), 2.0, -2.0),
        (Rule("at-most", 7.0), 7.0, 7.01),
    ],
)
def test_rules_at_their_edges(rule, inside, outside):
    assert verdict(rule, 2.0, [inside])
    assert not verdict(rule, 2.0, [outside])


def test_interval_rules_are_students():
    values = [1.0, 1.4, 0.8, 1.1, 1.3]
    mean, spread, quantile = np.mean(values), np.std(values, ddof=1), stats.t.ppf(0.975, 4)
    for rule, half in (
        (Rule("expected"), quantile * spread * np.sqrt(1 / 5)),
        (Rule("runs", 10), quantile * spread * np.sqrt(1 / 5 + 1 / 10)),
    ):
        assert verdict(rule, mean + 0.999 * half, values)
        assert not verdict(rule, mean + 1.001 * half, values)


def test_one_seed_gives_no_room():
    assert verdict(Rule("runs", 5), 1.0, [1.0])
    assert not verdict(Rule("runs", 5), 1.0, [1.0001])


@settings(max_examples=20, deadline=None)
@given(st.floats(-3, 3), st.floats(0.01, 100))
def test_slope_of_a_power_law(exponent, factor):
    times = range(1, 40)
    values = [factor * t**exponent for t in times]
    assert loglog_slope(times, values, window=(5, 30)) == pytest.approx(exponent, abs=1e-9)


def test_slope_is_least_squares_inside_its_window_only():
    values = np.exp(np.random.default_rng(0).standard_normal(20))
    expected = stats.linregress(np.log(np.arange(3, 11)), np.log(values[2:10])).slope
    assert loglog_slope(range(1, 21), values, window=(3, 10)) == pytest.approx(expected)


def test_slopes_are_taken_run_by_run_and_need_the_whole_window():
    of = [
        {"seed": seed, "generation": t, "x": float(t) ** power}
        for seed, power in ((1, -1.0), (2, -3.0))
        for t in range(1, 6)
        if (seed, t) != (2, 5)
    ]
    claim = Claim("s", "q", 0, "src", Rule("at-most"), metric="x", at=(1, 4))
    assert measured(claim, of) == pytest.approx([-1, -3])
    assert len(measured(Claim("s", "q", 0, "src", Rule("at-most"), metric="x", at=(1, 5)), of)) == 1


def test_what_was_not_run_is_left_out():
    claim = Claim("s", "q", 1.0, "src", Rule("within", 1), {"samples": 5}, "x", 3)
    assert findings([claim], rows([1.0])) == []
    assert len(findings([claim], [row | {"samples": 5} for row in rows([1.0])])) == 1


def test_a_finding_as_json():
    claim = Claim("s", "q", 1.0, "src", Rule("within", 0.1), metric="x", at=3, note="because")
    found = findings([claim], rows([2.0, 2.0]))[0].as_json()
    assert found["verdict"] == "differs"
    assert found["ours"] == {"mean": 2.0, "interval": [2.0, 2.0], "seeds": 2}
    assert (found["why"], found["note"]) == ("differ by 1, allowed 0.1", "because")


@pytest.mark.parametrize("study", STUDIES.kinds)
def test_every_published_quantity_is_stated_once_with_its_source(study):
    claims = published(study)
    names = [(claim.section, claim.quantity) for claim in claims]
    assert len(set(names)) == len(names)
    assert all(claim.source and claim.metric for claim in claims)
    assert not any("{" in text for claim in claims for text in (claim.section, claim.quantity))


def test_every_family_setting_and_size_has_its_published_number():
    keys = {(c.where["family"], c.where["setting"], c.where["samples"]) for c in published("families")}
    assert keys == {(f, s, n) for f in FAMILIES for s in SETTINGS for n in (100, 300, 500)}


def test_the_closed_forms_among_the_published_numbers_are_those_of_the_formulas():
    forms = {"replace": replace_ratio, "accumulate": accumulate_ratio}
    stated = [claim for claim in published("gaussian") if claim.section == "Closed forms"]
    slopes = [claim for claim in published("gaussian") if claim.where["world"] == "isotropic"]
    assert (len(stated), len(slopes)) == (6, 3)
    for claim in stated:
        ratio = forms[claim.where["setting"]](claim.where["samples"], claim.at)
        assert claim.published == pytest.approx(ratio[claim.at], rel=1e-12)
    exponent = decay_exponent(10, 0.05)  # of scipy's chi-squared, whose last digits are a version's
    assert [claim.published for claim in slopes] == pytest.approx([-exponent] * 3, rel=1e-10)


def test_what_is_only_drawn_is_held_against_nothing():
    drawn = [claim for claim in published("gaussian") if not claim.held]
    assert {claim.at for claim in drawn} == {1, 5, 20, 50, 200}
    row = {**drawn[0].where, "seed": 1, "generation": drawn[0].at, drawn[0].metric: 1.0}
    assert findings(drawn, [row]) == []


def test_bad_slopes():
    with pytest.raises(ValueError, match="window must hold two or more positive values"):
        loglog_slope([1, 2], [1.0, 0.0], window=(1, 2))
    with pytest.raises(ValueError, match="window must hold two or more positive values"):
        loglog_slope([1, 2], [1.0, 2.0], window=(2, 2))
