# SPDX-License-Identifier: Apache-2.0
"""What ``tailweave inspect`` proposes for tables as people have them is what ``tailweave run`` works with."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.append(str(Path(__file__).parents[1] / "clients"))
from table_forms import forms

import tailweave
from tailweave.clients.data.sources import load_rows

FORMS = forms()
EXPERIMENT = {
    "name": "form",
    "seeds": 1,
    "features": {"kind": "identity"},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian", "ridge": 1e-3},
    "recursion": {"generations": 1, "samples": 20, "candidates-per-sample": 2},
    "arms": [
        {"name": "siloed", "rule": "random"},
        {"name": "collaborative", "rule": "herding", "reference": {"kind": "sliced", "directions": 4}},
    ],
    "privacy": {"min-rows": 5},
    "evaluation": {"samples": 20},
}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_run_works_with_the_block_that_is_proposed(tmp_path, form):
    (tmp_path / "t.csv").write_bytes(FORMS[form][0])
    block = tailweave.inspect(tmp_path / "t.csv", label="y")
    (tmp_path / "x.yaml").write_text(block + yaml.safe_dump(EXPERIMENT), encoding="utf-8")
    if form == "wide":  # a covariance of 5,000 columns takes minutes
        rows, _ = load_rows(tailweave.load(tmp_path / "x.yaml").data, seed=0)
        assert rows.values.shape == (60, 5000)
        return
    run = tailweave.run(tmp_path / "x.yaml", out=tmp_path / "out")
    assert {row["generation"] for row in run.metrics()} == {0, 1}
