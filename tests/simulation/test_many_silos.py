# SPDX-License-Identifier: Apache-2.0
"""A report of many silos shows how they spread, and a run of a sample is measured on that alone."""

import json
import re

import numpy as np

from tailweave.simulation import summary as summaries
from tailweave.simulation.figures.silos import draw_silos
from tailweave.simulation.figures.wire import MOST_SILOS
from tailweave.simulation.images import folder_with
from tailweave.simulation.measurements import measurements
from tailweave.simulation.outcome import Outcome
from tailweave.simulation.report import tables

CONFIG = {"name": "many", "arms": [{"name": "alone", "rule": "random"}]}


def rows(silos: int) -> list[dict]:
    """Return rows of coverage k / K at generation 1 on silo k."""
    return [
        {"arm": "alone", "seed": 0, "silo": f"silo-{k}", "generation": g, "coverage": k / silos if g else 1.0}
        for g in (0, 1)
        for k in range(silos)
    ]


def summarise(silos: int) -> dict:
    wire = [
        {"seed": 0, "round": "hello", "silo": f"silo-{k}", "kind": "hello", "fields": {}, "bytes": 100 + k}
        for k in range(silos)
    ]
    return summaries.summarise(summaries.measured(rows(silos), CONFIG), CONFIG, wire=wire)


def test_few_silos_have_a_line_each_and_of_many_the_spread_is_told():
    few, many = (tables.per_silo(summarise(count)) for count in (MOST_SILOS, MOST_SILOS + 1))
    assert [line.head for line in few.lines] == [f"silo-{k}, alone" for k in range(MOST_SILOS)]
    assert [line.head for line in many.lines] == [
        f"alone, {title}" for title in ("lowest", "10 %", "median", "90 %", "highest")
    ]
    assert few.caption.startswith("Every silo")
    assert many.caption.startswith("How 31 silos spread")


def test_the_spread_is_that_of_the_silos():
    found = tables.per_silo(summarise(1001))
    values = [float(line.cells[0].text) for line in found.lines]
    np.testing.assert_allclose(values, [0.0, 0.1, 0.5, 0.9, 1.0], atol=2e-3)
    sent = tables.sent_by_silo(summarise(1001))
    assert [line.head for line in sent.lines] == ["lowest", "10 %", "median", "90 %", "highest"]
    assert "1,001 silos" in sent.caption


def test_silos_are_drawn_where_they_are_many():
    assert draw_silos(measurements(rows(30))) is None
    figure = draw_silos(measurements(rows(500)))
    (axes,) = figure.axes
    start, last = axes.get_lines()
    assert set(start.get_xdata()) == {1.0}  # generation 0 is the same on all silos
    values, shares = last.get_data()
    np.testing.assert_allclose(values, np.quantile(np.arange(500) / 500, shares))
    assert len(values) == 200


def test_many_in_quarantine_are_told_in_one_sentence():
    def said(count: int) -> list[str]:
        summary = summarise(40)
        summary["events"]["quarantined"] = {f"silo-{k}": [] for k in range(count)}
        return list(Outcome.of(summary).missing)

    assert len(said(10)) == 10
    (one,) = said(11)
    assert re.match(r"11 silos were in quarantine, .*\(silo-0, .*silo-9 and others\)", one)


def test_samples_are_those_of_the_first_silo_that_has_any(tmp_path):
    class World:
        silo_names = ("a", "b", "c")

    assert folder_with("images", tmp_path, World()) == tmp_path / "a"
    for silo in ("c", "b"):
        (tmp_path / silo / "alone").mkdir(parents=True)
        (tmp_path / silo / "alone" / "images-0.npz").touch()
    assert folder_with("images", tmp_path, World()) == tmp_path / "b"


def test_a_sample_is_measured_as_in_a_run_of_all(tiny, tailweave, tmp_path):
    rows = {}
    for name, given in (("all", ()), ("some", ("--set", "silos.sample=2"))):
        code, _, error = tailweave("run", tiny(), "--out", tmp_path / name, *given)
        assert code == 0, error
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        rows[name] = [json.loads(line) for line in lines]
    measured = {(row["seed"], row["silo"]) for row in rows["some"]}
    seeds = {row["seed"] for row in rows["all"]}
    assert [sum(of == seed for of, _ in measured) for seed in seeds] == [2] * len(seeds)
    assert rows["some"] == [row for row in rows["all"] if (row["seed"], row["silo"]) in measured]
