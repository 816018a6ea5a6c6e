# SPDX-License-Identifier: Apache-2.0
"""Differential privacy through the whole line: one run, arms of several epsilons."""

import json

import numpy as np
import pytest
import yaml

from tailweave.protocols.privacy.gate import noise_variance
from tailweave.simulation.cli import main

ARM = {"rule": "herding", "reference": {"kind": "sliced", "directions": 32, "coefficients": 4}}
EXPERIMENT = {
    "name": "private",
    "seeds": 1,
    "data": {"source": "gaussian-modes", "rows": 1200, "dimensions": 3, "modes": 4, "rare-modes": 0},
    "silos": {"count": 2, "partition": {"kind": "by-class", "classes-per-silo": 2}},
    "generator": {"kind": "gaussian-mixture", "components": 4},
    "recursion": {"generations": 1, "samples": 60},
    "arms": [{"name": "exact", **ARM, "epsilon": None}, {"name": "noised", **ARM, "epsilon": 1}],
    "privacy": {"epsilon": 1, "min-rows": 100},
}


def run(folder, monkeypatch, **changes):
    folder.mkdir(exist_ok=True)
    config = folder / "experiment.yaml"
    config.write_text(yaml.safe_dump({**EXPERIMENT, **changes}), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["tailweave", "run", str(config), "--out", str(folder / "out")])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code, folder / "out"


def sketches(out):
    rows = [json.loads(line) for line in (out / "wire.jsonl").read_text().splitlines()]
    asked = [row for row in rows if row["round"] == "summarise"]
    return {(row["privacy"]["epsilon"], row["silo"]): (row, np.load(out / row["arrays"])) for row in asked}


@pytest.mark.slow
def test_what_leaves_a_silo_is_noised_as_claimed_and_logged(tmp_path, monkeypatch):
    code, out = run(tmp_path, monkeypatch)
    assert code == 0
    found = sketches(out)
    assert set(found) == {(e, s) for e in (None, 1.0) for s in ("silo-0", "silo-1")}
    assert found[1.0, "silo-0"][0]["privacy"] == {"epsilon": 1.0, "delta": 1e-6, "noise": "seeded"}
    from tailweave.protocols.config.privacy import PrivacySpec
    from tailweave.protocols.kinds.references.sliced import SlicedReference

    spec = SlicedReference(**ARM["reference"])
    expected = noise_variance(spec, PrivacySpec(epsilon=1)).mean()
    noise = [found[1.0, s][1]["sums"] - found[None, s][1]["sums"] for s in ("silo-0", "silo-1")]
    measured = np.var(noise)  # 256 draws: a ratio outside .6 to 1.6 has probability below 1e-6 (chi-square)
    assert 0.6 < measured / expected < 1.6
    assert not np.allclose(noise[0], noise[1])


def test_a_private_release_of_a_small_silo_is_refused_before_a_folder_is_made(tmp_path, monkeypatch, capsys):
    code, out = run(tmp_path, monkeypatch, privacy={"epsilon": 1, "min-rows": 5000})
    assert code == 2
    assert "a private release (arm noised) needs privacy.min-rows = 5000" in capsys.readouterr().err
    assert not out.exists()


def test_noised_histograms_cannot_be_averaged_as_quantiles(tmp_path, monkeypatch, capsys):
    reference = {"kind": "sliced", "basis": "histogram", "aggregate": "barycenter"}
    arms = [{"name": "between", "rule": "herding", "reference": reference}]
    code, _ = run(tmp_path, monkeypatch, arms=arms)
    assert code == 2
    assert "arm between: noised histograms have no quantiles" in capsys.readouterr().err
