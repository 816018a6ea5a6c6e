# SPDX-License-Identifier: Apache-2.0
"""The study of label shift: its targets and judge by hand, and a small run of it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.audience import SILENT
from tailweave.simulation.request import RunOptions
from tailweave.simulation.studies.base import study_of
from tailweave.simulation.studies.config import load_study
from tailweave.simulation.studies.label_shift import hand_row, judged, long_tail
from tailweave.simulation.studies.run import run_study

SMALL = "study: label-shift\nseeds: [0, 1]\nbatch: 64\npasses: 2\nhidden: 8\nworkers: 1\n"


def loaded(folder, text):
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_study(path)


def test_the_hand_batch_is_the_published_formula():
    row = hand_row()
    h = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert row["share"] == pytest.approx(0.525, abs=1e-15)
    assert row["loss"] == pytest.approx(h * (3 / 1.05 + 1 / 0.95) / 4, abs=1e-12)


def test_predictions_judged_by_hand():
    found = judged(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), 3)
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["recall"] == pytest.approx((1.0 + 0.5) / 2)
    assert found["entropy"] == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert found["true_entropy"] == pytest.approx(math.log(2))
    assert judged(np.array([2, 2]), np.array([0, 1]), 3)["entropy"] == 0.0


@given(st.integers(2, 5), st.integers(1, 60), st.floats(1.0, 1e3))
def test_a_long_tail_has_its_ratio_and_no_row_twice(classes, rows, ratio):
    labels = np.repeat(np.arange(classes), rows)
    kept = long_tail(labels, ratio, rng=np.random.default_rng(0))
    counts = np.bincount(labels[kept], minlength=classes)
    assert len(set(kept.tolist())) == len(kept)
    assert counts[0] == rows
    assert counts[-1] == max(1, round(rows * ratio**-1.0))
    assert (np.diff(counts) <= 0).all()


@pytest.mark.slow
def test_a_small_run_of_it(tmp_path):
    page = run_study(loaded(tmp_path, SMALL), RunOptions(tmp_path / "out"), SILENT)
    rows = [json.loads(line) for line in (tmp_path / "out/metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 1 + 2 * 2 * 2 * 3
    before = [row for row in rows if row["target"] == "ordered" and not row["generation"]]
    tent, dsbr = ([row["accuracy"] for row in before if row["method"] == name] for name in ("tent", "dsbr"))
    assert tent == dsbr  # the same network, noise and order
    found = {one["quantity"]: one for one in json.loads((tmp_path / "out/published.json").read_text())}
    assert found["loss"]["verdict"] == "agrees"
    assert found["accuracy gained by DSBR"]["published"] == "no loss"
    assert "equally frequent" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ("data: python-docs\n", ValueError, "data: python-docs gives documents, needed: numbers or images"),
        ("momentum: 1\n", ConfigError, "momentum: input should be less than 1, got 1"),
        ("tail: 0.5\n", ConfigError, "tail: input should be greater than or equal to 1, got 0.5"),
        ("data: digit\n", ConfigError, "data: 'digit' is unknown; did you mean 'digits'"),
    ],
)
def test_bad_input_is_refused(tmp_path, changed, error, message):
    with pytest.raises(error, match=message):
        study_of(loaded(tmp_path, "study: label-shift\n" + changed)).tasks()
