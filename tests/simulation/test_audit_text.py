# SPDX-License-Identifier: Apache-2.0
"""Attacks on releases of documents: they work on features, and the audit says that documents stay."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

import tailweave
from tailweave.clients.samples import TEXT
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.audit import audit
from tailweave.simulation.audit.recorded import audit_run
from tailweave.simulation.audit.report import write_audit
from tailweave.simulation.audit.scene import Scene
from tailweave.simulation.audit.terminal import print_audit
from tailweave.simulation.run_folder import RunFolder

pytestmark = pytest.mark.slow

RUNS = 120
WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
CONFIG = {
    "name": "documents",
    "seeds": 1,
    "data": {"source": "jsonl", "group": "group", "evaluation-fraction": 0.3},
    "features": {"kind": "hidden-states", "dimensions": 4},
    "silos": {"count": 3, "partition": {"kind": "by-class", "classes-per-silo": 1}},
    "public": {"fraction": 0.3},
    "generator": {
        "kind": "language-model",
        "temperature": 0.8,
        "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
        "real-tokens": 6,
        "synthetic-tokens": 6,
        "first-epochs": 1,
        "epochs": 1,
        "device": "cpu",
    },
    "recursion": {"generations": 1, "samples": 20},
    "arms": [
        {"name": "sketch", "rule": "herding", "reference": {"kind": "sliced", "directions": 16}},
        {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 3}},
        {
            "name": "raw",
            "rule": "herding",
            "reference": {"kind": "barycenter", "support": 20},
            "epsilon": None,
        },
    ],
    "evaluation": {"samples": 20},
    "privacy": {"epsilon": None, "min-rows": 20, "allow-raw-row-leakage": True},
}
NOTE = "a document itself cannot be computed from them and was not attacked"


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> dict:
    path, rng = tmp_path_factory.mktemp("documents") / "own.jsonl", stream(0, "documents")
    lines = (
        json.dumps({"text": " ".join(rng.choice(WORDS[number % 3 :], 12)), "group": f"g{number % 3}"})
        for number in range(240)
    )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return CONFIG | {"data": CONFIG["data"] | {"path": str(path)}}


def test_features_are_attacked_with_noise_and_without(config, tmp_path):
    result = audit(tailweave.load(config), "documents", runs=RUNS)
    assert [f.arms for f in result.findings if f.breaches] == [("raw",)]  # it hands out features
    assert any(NOTE in note for note in result.notes)
    own = {finding.arms[0]: finding for finding in result.findings if finding.role == "as configured"}
    bare = {attack.name: attack.recovery for attack in own["sketch"].attacks}
    assert bare["differencing"].exact == bare["differencing"].rows > 0
    noised = [f for f in result.findings if f.role == "for comparison" and f.epsilon == 2.0]
    assert [f.protocol.split(",")[0] for f in noised] == ["sliced cosine", "quantized"]
    for finding in noised:
        assert finding.verdict == "holds"
        assert not [attack.name for attack in finding.attacks if attack.recovery.succeeded]
    assert all(0.0 <= f.membership.auc <= 1.0 for f in [own["sketch"], *noised] if f.membership)
    handed = {attack.name: attack.recovery for attack in own["raw"].attacks}
    assert handed["inverse map of n atoms"].exact == handed["inverse map of n atoms"].rows
    said = StringIO()
    print_audit(result, Console(file=said, width=80))
    assert NOTE in " ".join(said.getvalue().split())
    assert NOTE in write_audit(result, tmp_path).read_text(encoding="utf-8")


def test_a_run_of_documents_is_attacked_as_it_was_recorded(config, tmp_path):
    private = config | {"arms": config["arms"][:2], "privacy": {"epsilon": 2.0, "min-rows": 20}}
    out = tailweave.run(private, out=tmp_path / "run").path
    result = audit_run(RunFolder(out), runs=RUNS)
    assert {f.arms[0]: f.verdict for f in result.findings if f.role == "as recorded"} == {
        "sketch": "holds",
        "clusters": "holds",
    }


def test_rows_of_the_scene_are_features_of_the_silos_documents(config):
    scene = Scene.of(tailweave.load(config), 0)
    silo = scene.world.silos[0]
    assert silo.train.sort == TEXT
    assert scene.rows(silo).shape == (len(silo.train), 4)
    assert np.allclose(scene.rows(silo), scene.features.alike(silo.train.values), atol=1e-5)
