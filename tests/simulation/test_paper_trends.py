# SPDX-License-Identifier: Apache-2.0
"""Claims on the course of concentration: right and wrong runs, missing arms, one seed, and the page."""

import json

import numpy as np
import pytest
import yaml

from tailweave.protocols.metrics import METRICS
from tailweave.protocols.streams import stream
from tailweave.simulation.measurements import measurements
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.paper.orders import Arms
from tailweave.simulation.paper.published import trends
from tailweave.simulation.paper.run_page import write_published
from tailweave.simulation.paper.trends import share_of, slopes, trend_findings

GENERATIONS = 4
GENERATOR = {
    "kind": "language-model",
    "prompts": "own",
    "real-tokens": 32,
    "synthetic-tokens": 32,
    "temperature": 0.8,
    "top-p": 1.0,
}
PACE = {"control": 0.0, "few": 0.02, "half": 0.03, "many": 0.04, "low": 0.025, "any": 0.01, "human": 0.005}
PACE |= {"surprising": 0.0}
"""Rise of top-10 mass a generation, as published; entropy falls, and perplexity rises, ten times as fast."""


def arms_of():
    # names say nothing, and those that change something stand first: they must not pass for the plain ones
    return [
        {
            "name": "control",
            "rule": "random",
            "paradigm": "replace",
            "include-real": False,
            "generator": {"temperature": 1.0},
        },
        {
            "name": "many",
            "rule": "last-generation",
            "generator": {"real-tokens": 16, "synthetic-tokens": 48},
        },
        {"name": "half", "rule": "last-generation"},
        {
            "name": "few",
            "rule": {"kind": "last-generation"},
            "generator": {"synthetic-tokens": 16, "real-tokens": 48},
        },
        {"name": "low", "rule": "low-perplexity"},
        {"name": "any", "rule": "random"},
        {"name": "human", "rule": "fresh"},
        {"name": "surprising", "rule": "surplexity"},
    ]


def config_of(arms):
    recursion = {"generations": GENERATIONS, "paradigm": "accumulate-select", "include-real": True}
    return {
        "name": "language",
        "arms": arms,
        "recursion": recursion,
        "generator": GENERATOR,
        "paper": "concentration",
    }


def rows_of(arms, *, seeds=(0, 1, 2), sign=1.0, control=0.0):
    rows = []
    for arm in arms:
        for seed in seeds:
            noise = stream(seed, arm["name"]).normal(scale=1e-4, size=GENERATIONS + 1)
            for t in range(GENERATIONS + 1):
                moved = (
                    sign * PACE[arm["name"]] * t
                    + noise[t]
                    + (control * t / GENERATIONS) * (arm["name"] == "control")
                )
                who = {"arm": arm["name"], "seed": seed, "silo": "silo-0", "generation": t}
                rows.append(
                    who
                    | {
                        "top10_mass": 0.5 + moved,
                        "next_token_entropy": 3 - 10 * moved,
                        "perplexity": 60 + 100 * moved,
                    }
                )
    return rows


def judged(arms, **options):
    config = config_of(arms)
    table = measurements(rows_of(arms, **options), [arm["name"] for arm in arms])
    return trend_findings(trends(), Arms.of(table, config), config)


def verdicts(found):
    return {one.verdict for one in found}


def test_what_is_published_is_measured():
    for trend in trends():
        assert trend.metric in METRICS.kinds
        assert trend.kind == "still" or trend.left is not None
        assert (trend.right is not None) == (trend.kind == "end")


def test_a_run_as_published_agrees_in_all():
    found = judged(arms_of())
    assert verdicts(found) == {"agrees"}
    assert len(found) == 4 + 2 * 3 + 3 + 1 + 1  # of three shares both neighbours and the ends
    slope = next(one for one in found if one.quantity == "top-10 mass rises")
    assert slope.ours.mean == pytest.approx(PACE["half"], abs=3e-4)  # 3 seeds of noise 1e-4
    shares = [one for one in found if "75 % than with 25 %" in one.quantity]
    assert [one.difference.mean for one in shares] == pytest.approx([0.02, -0.2], abs=3e-3)


def test_a_run_the_other_way_round_differs_in_all_but_the_control():
    *found, control = judged(arms_of(), sign=-1.0)
    assert verdicts(found) == {"differs"}
    assert control.verdict == "agrees"
    assert control.why.startswith("control moves by ")


@pytest.mark.parametrize(
    ("moved", "verdict"), [(0.0, "agrees"), (0.019, "agrees"), (0.02, "open"), (-0.021, "differs")]
)
def test_the_control_may_move_by_its_bound(moved, verdict):
    assert judged(arms_of(), control=moved)[-1].verdict == verdict


def test_one_seed_decides_nothing():
    found = judged(arms_of(), seeds=(0,))
    assert verdicts(found) == {"open"}
    assert all("one seed gives no interval" in one.why for one in found)


def test_what_a_run_lacks_is_said():
    found = judged([arm for arm in arms_of() if arm["name"] in ("half", "any")])
    away = [one for one in found if one.verdict == "not in this run"]
    assert len(found) - len(away) == 4
    assert "top-10 mass rises faster with more than with fewer synthetic tokens" in [
        one.quantity for one in away
    ]
    assert away[0].as_json()["ours"] is None
    config = config_of(arms_of())
    bare = measurements([{"arm": "half", "seed": 0, "silo": "s", "generation": 0, "coverage": 1.0}])
    assert verdicts(trend_findings(trends(), Arms.of(bare, config), config)) == {"not in this run"}


def test_a_generation_that_goes_back_leaves_the_claim_open_or_refutes_it():
    def each(back):
        arms = [arm for arm in arms_of() if arm["name"] == "half"]
        rows = rows_of(arms)
        for row in rows:
            row["top10_mass"] -= back[row["seed"]] * (row["generation"] == 2)
        table = measurements(rows)
        config = config_of(arms)
        return trend_findings(trends(), Arms.of(table, config), config)[0]

    assert each([0.03 + 0.001] * 3).verdict == "differs"
    unsure = each([0.2, 0.0, 0.0])
    assert unsure.verdict == "open"
    assert unsure.why.startswith("rises in 3 of 4 generations")
    assert each([0.0, 0.0, 0.0]).verdict == "agrees"


def test_arms_that_differ_in_more_than_tokens_are_not_compared():
    arms = arms_of()
    arms[1]["generator"] |= {"temperature": 1.0}
    arms[3]["paradigm"] = "accumulate"
    assert {one.verdict for one in judged(arms) if one.trend.kind == "share"} == {"not in this run"}
    arms = arms_of()
    arms[0]["generator"] |= {"top-p": 0.9}
    assert judged(arms)[-1].verdict == "not in this run"


@pytest.mark.parametrize(
    ("control", "found"),
    [
        ({"rule": "random", "paradigm": "replace", "include-real": False}, True),
        ({"rule": "last-generation"}, True),
        ({"rule": "random", "paradigm": "replace"}, False),  # the silo's own documents are among its text
        ({"rule": "random"}, False),
    ],
)
def test_the_control_trains_on_the_last_generation_alone(control, found):
    arms = [{"name": "control", "generator": {"temperature": 1.0}} | control, *arms_of()[1:]]
    last = judged(arms)
    assert last[-1].verdict == ("agrees" if found else "not in this run")
    assert verdicts(last[:-1]) == {"agrees"}


def test_a_slope_is_that_of_a_straight_line():
    rows = rows_of([{"name": "half"}])
    found = slopes(measurements(rows), "half", "perplexity")
    for seed, slope in found.items():
        mine = [row["perplexity"] for row in rows if row["seed"] == seed]
        assert slope == pytest.approx(np.polyfit(range(GENERATIONS + 1), mine, 1)[0], rel=1e-9)
    short = [row for row in rows if (row["seed"], row["generation"]) != (1, 2)]
    assert list(slopes(measurements(short), "half", "perplexity")) == [0, 2]
    assert slopes(measurements(rows), "half", "unheard_of") == {}


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({}, 0.5),
        ({"real-tokens": 96}, 0.25),
        ({"prompts": "nothing"}, 1.0),
        ({"kind": "gaussian", "real-tokens": None}, None),
    ],
)
def test_the_share_of_synthetic_tokens(options, share):
    assert share_of(GENERATOR | options) == share


def test_the_page_is_complete_offline_and_repeats(run_folder):
    arms = arms_of()
    config = config_of(arms)
    rows = rows_of(arms)
    (run_folder.path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (run_folder.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = write_published(OpenRun(run_folder))
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 1
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "Of 15 claims that this run can speak to, 15 hold, 0 do not, and 0 stay open" in html
    assert "Where ours differs" not in html
    assert "Not in this run" not in html
    assert "<td>75 %</td>" in html
    told = json.loads((run_folder.path / "published.json").read_text(encoding="utf-8"))
    assert all(one["quantity"] in html for one in told)
    before = page.read_bytes()
    assert write_published(OpenRun(run_folder)).read_bytes() == before
