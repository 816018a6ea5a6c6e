# SPDX-License-Identifier: Apache-2.0
"""configs/memorization.yaml, in one seed, three arms and four generations: shows what its study is about."""

import json
from pathlib import Path

import pytest
import yaml
from later import later

import tailweave
from tailweave.simulation.run_folder import RunFolder

later("torch")  # or the file is skipped
CONFIG = Path(__file__).parents[2] / "configs" / "memorization.yaml"
SHORT = ("seeds=1", "recursion.generations=4", "evaluation.samples=300")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    out = tmp_path_factory.mktemp("study") / "run"
    raw = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    raw["arms"] = [arm for arm in raw["arms"] if arm["name"] in ("vanilla-replace", "random", "greedy")]
    short = out.with_name("short.yaml")
    short.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    tailweave.run(short, out=out, overrides=SHORT)
    return RunFolder(out)


def curve(folder: RunFolder, arm: str, metric: str) -> list[float]:
    rows = sorted((r for r in folder.metrics() if r["arm"] == arm), key=lambda row: row["generation"])
    return [row[metric] for row in rows if metric in row]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_score_decays_and_greedy_selection_keeps_real_images(folder):
    scores = curve(folder, "vanilla-replace", "generalization_score")
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.7 * scores[0]
    shares = {arm: curve(folder, arm, "real_share") for arm in ("random", "greedy")}
    assert shares["random"][0] == shares["greedy"][0] == 1.0
    assert shares["greedy"][-1] > 2.0 * shares["random"][-1]  # a fifth is left at random
    summary = json.loads((folder.path / "summary.json").read_text())
    assert summary["entropy_and_score"]["pearson"] >= 0.8
