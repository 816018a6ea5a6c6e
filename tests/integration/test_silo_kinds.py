# SPDX-License-Identifier: Apache-2.0
"""Silos with images and documents of their own: those that fit work together, the others are told why not."""

import json
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_digits

import tailweave
from tailweave.clients.owner_report import read
from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.deploy.node_settings import load_node
from tailweave.simulation.engines.in_process import run_in_process
from tailweave.simulation.prepare import prepare

POLICY = "allow-no-privacy: true\nlifetime-epsilon: null\nmin-rows: 20\n"
CONFIG = {
    "name": "kinds",
    "seeds": 1,
    "features": {"kind": "pca", "dimensions": 6},
    "generator": {"kind": "gaussian-mixture", "components": 2, "ridge": 0.001},
    "recursion": {"generations": 1, "samples": 40},
    "arms": [{"name": "together", "rule": "herding", "reference": {"kind": "sliced", "directions": 8}}],
    "privacy": {"min-rows": 20},
    "evaluation": {"samples": 40},
}
LONGEST = sorted(topics, key=lambda name: -len(topics[name]))[:4]
PARAGRAPHS = {name: [part for part in topics[name].split("\n\n") if len(part) > 80][:60] for name in LONGEST}


def write_pictures(folder: Path, start: int, side: int = 8) -> None:
    digits = load_digits()
    for number in range(start, start + 90):
        path = folder / str(digits.target[number]) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray((digits.images[number] * 15).astype(np.uint8))
        picture.resize((side, side)).save(path)


def write_documents(folder: Path, start: int, step: int) -> None:
    for name, parts in PARAGRAPHS.items():
        (folder / name).mkdir(parents=True)
        for number, part in enumerate(parts[start::step]):
            (folder / name / f"{number}.txt").write_text(part, encoding="utf-8")


def node(home: Path, name: str, data: str, **more) -> dict:
    """Return the node-config that the silo's own node.yaml gives."""
    folder = home / name
    folder.mkdir()
    (folder / "policy.yaml").write_text(POLICY)
    link = {
        "superlink": {"host": "localhost", "fleet-port": 9440},
        "ports": {"runtime": 9450, "health": 9451, "executor": 9452},
    }
    given = {"schema": 1, "name": name, "data": str(home / data), "policy": "policy.yaml", **link, **more}
    (folder / "node.yaml").write_text(yaml.safe_dump(given))
    return load_node(folder).node_config()


def ran(home: Path, nodes: list[dict], data: dict, **changes) -> tuple[set[str], dict[str, str]]:
    """Run and return the silos that were measured, and why the others were refused."""
    silos = {"count": len(nodes), "partition": {"kind": "iid"}}
    (home / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"data": data, "silos": silos} | changes))
    prepare(load_experiment(home / "config.yaml"), silos_elsewhere=True).save_kits(home / "kits")
    settings = {"config": str(home / "config.yaml"), "out": str(home / "out"), "kit": str(home / "kits")}
    run_in_process(nodes, settings, workers=0)
    measured, events = (
        [json.loads(line) for line in (home / "out" / name).read_text().splitlines()]
        for name in ("metrics.jsonl", "events.jsonl")
    )
    assert {row["generation"] for row in measured} == {0, 1}
    refused = [event for event in events if event["event"] != "kept"]
    assert {event["round"] for event in refused} == {"hello"}
    return {row["silo"] for row in measured}, {event["silo"]: event["reason"] for event in refused}


def test_silos_with_images_of_their_own(tmp_path):
    for name, start, side in (("public", 0, 8), ("one", 90, 8), ("two", 180, 8), ("large", 270, 16)):
        write_pictures(tmp_path / f"{name}-pictures", start, side)
    digits = load_digits()
    np.savez(tmp_path / "x.npz", x=(digits.images[400:490] * 15).astype(np.uint8))
    words = ",".join(f"c{i}" for i in range(10)) + "\n" + (",".join("1" * 10) + "\n") * 30
    (tmp_path / "narrow.csv").write_text(words)
    nodes = [
        node(tmp_path, "one", "one-pictures", image=[1, 8, 8]),
        node(tmp_path, "two", "two-pictures", image=[1, 8, 8], resize="crop"),
        node(tmp_path, "archive", "x.npz", image=[1, 8, 8]),
        node(tmp_path, "shrunk", "large-pictures", image=[1, 8, 8], resize="stretch"),
        node(tmp_path, "large", "large-pictures", image=[1, 16, 16]),
        node(tmp_path, "narrow", "narrow.csv"),
        node(tmp_path, "unread", "large-pictures", image=[1, 8, 8]),
    ]
    data = {"source": "image-folder", "path": "public-pictures", "image": [1, 8, 8]}
    measured, refused = ran(tmp_path, nodes, data)
    assert measured == {"one", "two", "archive", "shrunk"}
    assert sorted(refused.values())[1:] == [
        "the silo's data do not fit: it has images 1x16x16, the federation has images 1x8x8; set image and "
        "resize in its node.yaml",
        "the silo's table does not fit: it has a table of 10 columns, the federation has images 1x8x8; set "
        "image and resize in its node.yaml",
    ]
    assert "failed at hello (DataError)" in min(refused.values())


def test_silos_with_documents_of_their_own(tmp_path):
    for place, name in enumerate(("public", "one", "two")):
        write_documents(tmp_path / f"{name}-texts", place, 3)
    lines = [" ".join(part.split()) for part in PARAGRAPHS[LONGEST[0]]]
    (tmp_path / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
    nodes = [
        node(tmp_path, "one", "one-texts", **{"text-columns": 32}),
        node(tmp_path, "two", "two-texts", **{"text-columns": 32}),
        node(tmp_path, "lines", "lines.txt", **{"text-columns": 32}),
        node(tmp_path, "wide", "two-texts", **{"text-columns": 64}),
    ]
    measured, refused = ran(tmp_path, nodes, {"source": "hashed-text", "path": "public-texts", "columns": 32})
    assert measured == {"one", "two", "lines"}
    (reason,) = refused.values()
    assert reason == (
        "the silo's data do not fit: it has text in 64 columns, the federation has text in 32 columns; set "
        "text-columns: 32 in its node.yaml"
    )


def test_silos_with_documents_that_stay_text(tmp_path):
    pytest.importorskip("transformers")
    for place, name in enumerate(("public", "one", "two")):
        write_documents(tmp_path / f"{name}-texts", place, 3)
    lines = [json.dumps({"words": part}) for part in PARAGRAPHS[LONGEST[0]]]
    (tmp_path / "own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    nodes = [
        node(tmp_path, "one", "one-texts", text=True),
        node(tmp_path, "two", "two-texts", text=True),
        node(tmp_path, "lines", "own.jsonl", **{"text": True, "text-column": "words"}),
        node(tmp_path, "hashed", "two-texts", **{"text-columns": 32}),
    ]
    generator = {
        "kind": "language-model",
        "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
        **{"temperature": 0.8, "real-tokens": 6, "synthetic-tokens": 6, "first-epochs": 1, "device": "cpu"},
    }
    siloed = {"name": "siloed", "rule": "surplexity", "reference": None, "include-real": True}
    measured, refused = ran(
        tmp_path,
        nodes,
        {"source": "text-folder", "path": "public-texts"},
        features={"kind": "hidden-states", "dimensions": 6},
        generator=generator,
        arms=[*CONFIG["arms"], {**siloed, "paradigm": "accumulate-select"}],
    )
    assert measured == {"one", "two", "lines"}
    (reason,) = refused.values()
    assert reason.startswith("the silo's data do not fit: it has text in 32 columns, the federation has ")
    assert reason.endswith("set text: true in its node.yaml")
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert {row["arm"] for row in rows} == {"together"}  # the other saw own documents
    assert all(row["perplexity"] > 1.0 and 0.0 < row["top10_mass"] <= 1.0 for row in rows)
    for given in nodes[:3]:
        told = {}
        for path in Path(given["state-dir"]).glob("*/report/seed-0/*.jsonl"):
            told |= {line["arm"]: line["told"] for line in read(path) if line["against"] == "public"}
        assert told == {"together": True, "siloed": False}


@pytest.mark.slow
def test_a_simulation_on_documents_writes_a_report(tmp_path):
    write_documents(tmp_path / "texts", 0, 1)
    config = CONFIG | {
        "data": {"source": "hashed-text", "path": "texts", "columns": 32},
        "silos": {"count": 2, "partition": {"kind": "by-class", "classes-per-silo": 2}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    tailweave.run(tmp_path / "config.yaml", out=tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert {(row["silo"], row["generation"]) for row in rows} == {
        (silo, generation) for silo in ("silo-0", "silo-1") for generation in (0, 1)
    }
    assert (tmp_path / "out" / "report.html").exists()
