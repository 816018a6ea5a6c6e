# SPDX-License-Identifier: Apache-2.0
"""The summary against plain loops over the rows, and what it says of degenerate runs."""

import json
import random

import numpy as np
import pytest
from scipy import stats

from tailweave.simulation import summary as summaries
from tailweave.simulation.arms import describe
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.pages import write_pages
from tailweave.simulation.revealed import revealed


def summarise(rows, config, **beside):
    return summaries.summarise(summaries.measured(rows, config), config, **beside)


def summary_of(folder):
    return summarise(folder.metrics(), folder.config(), wire=folder.wire(), events=folder.events())


def seed_means(rows, arm, generation, metric):
    """The slow way: filter, then NumPy means by seed."""
    found = [r for r in rows if r["arm"] == arm and r["generation"] == generation]
    return np.array([np.mean([r[metric] for r in found if r["seed"] == seed]) for seed in (0, 1)])


def close(found, values):
    interval = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found["seeds"] == len(values)
    assert found["mean"] == pytest.approx(np.mean(values), rel=1e-12)
    # one rounding of a mean of 3 silos is 1 ulp; the half-width multiplies it by t = 12.7
    assert found["interval"] == pytest.approx([interval.low, interval.high], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("arm", ["no-selection", "siloed", "anchored", "collaborative"])
@pytest.mark.parametrize("metric", ["coverage", "recall", "variance_ratio"])
def test_estimates_agree_with_a_slow_loop(run_folder, arm, metric):
    rows, found = run_folder.metrics(), summary_of(run_folder)["arms"][arm]
    start, end = (seed_means(rows, arm, generation, metric) for generation in (0, 6))
    close(found["last"][metric], end)
    close(found["retention"][metric], end / start)
    for rival in {"siloed", "no-selection"} - {arm}:
        close(found["paired"][rival][metric], end - seed_means(rows, rival, 6, metric))
    assert set(found["paired"]) == {"siloed", "no-selection"} - {arm}
    assert found["first"][metric]["mean"] == pytest.approx(start.mean())


def test_the_shape_of_a_summary(run_folder):
    summary = summary_of(run_folder)
    assert list(summary["arms"]) == ["no-selection", "siloed", "anchored", "collaborative"]
    assert (summary["name"], summary["generations"], summary["seeds"]) == ("synthetic", 6, [0, 1])
    assert summary["silos"] == ["silo-0", "silo-1", "silo-2"]
    assert summary["arms"]["siloed"]["rows"] == 2 * 3 * 7
    assert summary["arms"]["siloed"]["silo_count"] == 3
    # coverage is .9 * decay^g: .5^1 is exactly half, noise .01 decides; .75^3 = .42 < .5 < .75^2
    assert summary["arms"]["siloed"]["collapse"]["half_life"] in (1, 2)
    assert summary["arms"]["no-selection"]["collapse"]["half_life"] == 3
    assert summary["arms"]["collaborative"]["collapse"]["half_life"] is None


def test_a_rare_mode_can_be_looked_up_on_every_silo(run_folder):
    rows, summary = run_folder.metrics(), summary_of(run_folder)
    key = "mode_share/_hidden"
    for silo in ("silo-0", "silo-2"):
        mine = [r[key] for r in rows if (r["arm"], r["silo"], r["generation"]) == ("siloed", silo, 6)]
        assert summary["arms"]["siloed"]["silos"][silo][key] == pytest.approx(np.mean(mine))


def test_thinned_classes_are_summed_in_each_row(run_folder, config):
    rows = run_folder.metrics()
    config["public"]["class-weights"] = {"$x^$": 0.1, "_hidden": 0.0, "plain": 1.0}
    found = summarise(rows, config)
    assert found["thinned"] == ["$x^$", "_hidden"]
    end = sum(seed_means(rows, "siloed", 6, f"mode_share/{label}") for label in ("$x^$", "_hidden"))
    assert found["arms"]["siloed"]["last"]["thinned_share"]["mean"] == pytest.approx(end.mean())
    config["public"] = {"fraction": 1.0}
    assert "thinned_share" not in summarise(rows, config)["arms"]["siloed"]["last"]


def test_the_order_of_lines_changes_no_byte(run_folder):
    rows, wire, events = run_folder.metrics(), run_folder.wire(), run_folder.events()
    texts = set()
    for seed in range(3):
        chance = random.Random(seed)
        chance.shuffle(rows)
        chance.shuffle(wire)
        texts.add(json.dumps(summarise(rows, run_folder.config(), wire=wire, events=events)))
    assert len(texts) == 1


def test_write_summary_stores_what_it_returns(run_folder):
    summary = OpenRun(run_folder).summary
    write_pages(run_folder)
    stored = (run_folder.path / "summary.json").read_bytes()
    assert json.loads(stored) == json.loads(json.dumps(summary))
    write_pages(run_folder)
    assert (run_folder.path / "summary.json").read_bytes() == stored


def rows_of(values, arm="a"):
    return [
        {"arm": arm, "seed": 0, "silo": "s", "generation": g, "coverage": v} for g, v in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("coverage", "half_life", "retention"),
    [
        ([0.8, 0.4, 0.39, 0.5], 2, 0.625),  # exactly half has not collapsed; recovery does not undo it
        ([0.8, 0.8], None, 1.0),
        ([0.0, 0.0], None, None),
        ([0.5], None, 1.0),
    ],
)
def test_collapse_and_retention(coverage, half_life, retention):
    arm = summarise(rows_of(coverage), {})["arms"]["a"]
    assert arm["collapse"] == {"metric": "coverage", "below": 0.5, "half_life": half_life}
    kept = arm["retention"]["coverage"]
    assert (kept and kept["mean"]) == retention
    assert kept is None or kept["interval"] is None


def test_differences_and_retention_compare_the_same_silos():
    rows = rows_of([1.0, 1.0], "siloed") + rows_of([1.0, 0.6], "collaborative")
    for arm, value in (("siloed", 0.2), ("collaborative", 1.0)):
        rows.append({"arm": arm, "seed": 0, "silo": "late", "generation": 1, "coverage": value})
    rows = [r for r in rows if not (r["arm"] == "collaborative" and r["silo"] == "late")]
    found = summarise(rows, {})["arms"]
    assert found["collaborative"]["paired"]["siloed"]["coverage"]["mean"] == pytest.approx(-0.4)
    assert found["siloed"]["retention"]["coverage"]["mean"] == 1.0
    assert found["siloed"]["last"]["coverage"]["mean"] == pytest.approx(0.6)


def test_missing_silos_are_named(run_folder):
    rows = [r for r in run_folder.metrics() if r["silo"] != "silo-1" or r["generation"] < 4]
    found = summarise(rows, run_folder.config(), events=run_folder.events())["events"]
    reason = "schema version 2, <b>expected</b> 1"
    assert found["missing"] == {"silo-2": [{"seed": 1, "round": 1, "reason": reason}]}
    assert (found["count"], found["stopped_early"]) == (1, ["silo-1"])


def test_events_are_told_apart(run_folder):
    def event(kind, silo):
        return {"event": kind, "seed": 0, "round": "summarise", "arm": None, "silo": silo, "reason": kind}

    total = event("summed", None) | {"silos": ["silo-0", "silo-1"], "left-out": ["silo-2"], "attempts": 2}
    events = [event("refused", "silo-0"), event("quarantined", "silo-1"), event("odd", "silo-2"), total]
    events += [event("kept", f"silo-{i}") | {"arm": "siloed"} for i in (10, 2, 2)]
    found = summarise(run_folder.metrics(), run_folder.config(), events=events)["events"]
    for key, silo in {"missing": "silo-0", "quarantined": "silo-1", "odd": "silo-2"}.items():
        assert list(found[key]) == [silo]
    assert found["count"] == 2  # an odd silo was counted in the reference, and a sum is a success
    assert found["kept"] == {"siloed": ["silo-2", "silo-10"]}
    assert not found["absences"] or all(case["silo"] == "silo-0" for case in found["absences"])
    assert found["summed"] == [
        {"seed": 0, "silos": ["silo-0", "silo-1"], "left-out": ["silo-2"], "attempts": 2, "reason": "summed"}
    ]


def test_revealed_counts_bytes_by_silo_kind_and_arm(run_folder):
    found = summary_of(run_folder)["revealed"]
    each = 96 + 2304
    assert found["bytes"] == 2 * (3 * (each + 16384) + 512 * (0 + 1 + 2))
    assert (found["messages"], found["seeds"]) == (18, 2)
    assert found["silos"]["silo-1"]["bytes"] == 2 * (each + 16384 + 512)
    assert found["silos"]["silo-1"]["kinds"]["hello"]["bytes"] == 2 * 96
    assert found["arms"] == {"collaborative": found["kinds"]["summarise"]}
    assert found["kinds"]["summarise"]["fields"] == {
        "rows_bucket": ["one value, int64"],
        "sketch": ["256 x 8, float64"],
    }


def test_epsilon_is_the_worst_silo_and_none_hides_nothing(run_folder, config):
    wire = run_folder.wire()
    config["privacy"]["epsilon"] = 8.0
    assert revealed(wire, config)["epsilon"] is None  # summaries without noise, whatever was promised
    by_round = [{**r, "round": r["kind"], "kind": "sliced"} for r in wire if r["kind"] == "summarise"]
    assert revealed(by_round, config)["epsilon"] is None  # the kind may name the reference instead
    assert revealed(by_round, config)["summaries"]["messages"] == 6
    for row in wire:
        spends = row["kind"] == "summarise"
        row["privacy"]["epsilon"] = (3.0 if row["silo"] == "silo-1" else 2.0) if spends else None
    assert revealed([*wire, *[r for r in wire if r["seed"] == 0]], config)["epsilon"] == 6.0
    config["privacy"]["epsilon"] = None  # each arm may set its own
    assert revealed(wire, config)["epsilon"] == 3.0
    empty = revealed([], config)
    assert empty["epsilon"] is None
    assert (empty["bytes"], empty["messages"], empty["seeds"], empty["silos"]) == (0, 0, 0, {})


def test_broken_wire_rows_are_refused(run_folder):
    row = run_folder.wire()[0]
    with pytest.raises(ValueError, match="wire row 1 lacks bytes"):
        revealed([{k: v for k, v in row.items() if k != "bytes"}], {})
    with pytest.raises(ValueError, match="bytes must be an integer of at least 0, got -1"):
        revealed([{**row, "bytes": -1}], {})


@pytest.mark.parametrize(
    ("arm", "role"),
    [
        ({"name": "x", "rule": "random"}, "no-selection"),
        ({"name": "x", "rule": "k-means", "reference": None}, "unguided"),
        ({"name": "collaborative", "rule": "herding", "reference": "local"}, "siloed"),
        ({"name": "x", "rule": "herding", "reference": {"kind": "public"}}, "anchored"),
        ({"name": "x", "rule": "herding", "reference": {"kind": "quantized"}}, "collaborative"),
        ({"name": "x", "rule": "herding", "reference": {"kind": "oracle"}}, "oracle"),
    ],
)
def test_the_reference_says_what_an_arm_is(arm, role):
    assert describe(arm["name"], {"arms": [arm]}).role == role


def test_without_a_configuration_the_name_says_it():
    names = ["siloed", "collaborative-quantized", "mine"]
    assert [describe(name, {}).role for name in names] == ["siloed", "collaborative", "other"]
