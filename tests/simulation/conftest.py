# SPDX-License-Identifier: Apache-2.0
"""A small synthetic run folder: 4 arms, 2 seeds, 3 silos, generations 0 to 6, 4 labels, 1 of them thinned."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tailweave.protocols.streams import stream
from tailweave.simulation import cli
from tailweave.simulation.pages import write_pages
from tailweave.simulation.run_folder import RunFolder

SEEDS, SILOS, GENERATIONS = (0, 1), 3, 6
LABELS = ("plain", "<script>alert(1)</script>", "_hidden", "$x^$")
DECAY = {"no-selection": 0.75, "siloed": 0.5, "anchored": 0.93, "collaborative": 1.0}
CONFIG = {
    "name": "synthetic",
    "seeds": list(SEEDS),
    "data": {"source": "gaussian-modes", "modes": 4},
    "silos": {"count": SILOS, "partition": {"kind": "by-class", "classes-per-silo": 2}},
    "public": {"fraction": 0.3, "class-weights": {"$x^$": 0.1, "plain": 1.0}},
    "generator": {"kind": "gaussian-mixture", "components": 8, "start": "shared"},
    "recursion": {"generations": GENERATIONS, "samples": 100, "candidates-per-sample": 4.0},
    "arms": [
        {"name": "no-selection", "rule": "random", "reference": None},
        {"name": "siloed", "rule": "herding", "reference": {"kind": "local"}},
        {"name": "anchored", "rule": "herding", "reference": {"kind": "public", "samples": 2000}},
        {"name": "collaborative", "rule": "herding", "reference": {"kind": "sliced", "directions": 256}},
    ],
    "privacy": {"epsilon": None, "delta": 1e-6},
}


def metric_rows() -> list[dict]:
    rows = []
    for seed in SEEDS:
        for arm, decay in DECAY.items():
            for silo in range(SILOS):
                for generation in range(GENERATIONS + 1):
                    noise = stream(seed, arm, silo, generation).normal(scale=0.01) if generation else 0.0
                    kept = decay**generation
                    fair = np.array(
                        [
                            kept,
                            1.0 if arm == "collaborative" and generation else 0.5,
                            0.8,
                            0.1 + 0.03 * generation,
                        ]
                    )
                    shares = fair / fair.sum()
                    rows.append(
                        {
                            "arm": arm,
                            "seed": seed,
                            "silo": f"silo-{silo}",
                            "generation": generation,
                            "coverage": 0.9 * kept + noise,
                            "recall": 0.8 * kept + noise,
                            "precision": 0.9 + noise,
                            "density": 1.0 + noise,
                            "frechet": 0.08 / kept + abs(noise),
                            "energy_distance": 0.01 / kept,
                            "vendi": 12.0 * kept + 1.0 + noise,
                            "variance_ratio": kept + noise,
                            "memorization": 1.1 + noise,
                            "modes_covered": float(round(4 * kept**0.5)),
                            "rarest_mode_share": float(shares.min()),
                            **{f"mode_share/{n}": float(s) for n, s in zip(LABELS, shares, strict=True)},
                        }
                    )
    return rows


def wire_rows() -> list[dict]:
    rows = []
    for seed in SEEDS:
        for silo in range(SILOS):
            who = {"seed": seed, "silo": f"silo-{silo}", "privacy": {"epsilon": None}}
            count = {"shape": [], "dtype": "int64"}
            sketch = {"shape": [256, 8], "dtype": "float64"}
            metrics = {"shape": [4 * GENERATIONS], "dtype": "float64"}
            rows += [
                {
                    **who,
                    "round": 0,
                    "kind": "hello",
                    "arm": None,
                    "fields": {"rows_bucket": count},
                    "bytes": 96,
                },
                {**who, "round": 1, "kind": "summarise", "arm": "collaborative", "bytes": 16384 + 512 * silo}
                | {"fields": {"sketch": sketch, "rows_bucket": count}, "arrays": "wire/000001.npz"},
                {
                    **who,
                    "round": 2,
                    "kind": "retrain",
                    "arm": None,
                    "fields": {"metrics": metrics},
                    "bytes": 2304,
                },
            ]
    return rows


def map_arrays() -> dict[str, np.ndarray]:
    rng = stream(0, "map")
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 5.0], [6.0, 5.0]])
    label = np.repeat(np.arange(4), 60)
    arrays = {"truth_xy": centres[label] + rng.normal(size=(240, 2)), "truth_label": np.array(LABELS)[label]}
    for arm, decay in DECAY.items():
        for generation in range(GENERATIONS + 1):
            weights = np.array([1.0, *[decay**generation] * 3])
            of = rng.choice(4, size=400, p=weights / weights.sum())
            candidates = centres[of] + rng.normal(size=(400, 2))
            arrays[f"{arm}/{generation}/candidates"] = candidates
            arrays[f"{arm}/{generation}/selected"] = candidates[:100]
    return arrays


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def config() -> dict:
    return json.loads(json.dumps(CONFIG))


def make_run(path: Path, config: dict) -> RunFolder:
    path.mkdir()
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    environment = {
        "tailweave": "0.1.0",
        "commit": "0123abc",
        "command": "tailweave run synthetic.yaml --set name='<img src=x onerror=alert(2)>'",
        "seeds": list(SEEDS),
        "hardware": {"cores": 2, "memory-gib": 8},
        "versions": {"python": "3.11.2", "numpy": "2.4.0"},
    }
    (path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    write_lines(path / "metrics.jsonl", metric_rows())
    write_lines(path / "wire.jsonl", wire_rows())
    event = {"seed": 1, "round": 1, "silo": "silo-2", "reason": "schema version 2, <b>expected</b> 1"}
    write_lines(path / "events.jsonl", [event])
    np.savez(path / "maps.npz", **map_arrays())
    return RunFolder(path)


@pytest.fixture
def run_folder(tmp_path: Path, config: dict) -> RunFolder:
    return make_run(tmp_path / "run", config)


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run folder with its report written once; tests only read it."""
    folder = make_run(tmp_path_factory.mktemp("reported") / "run", CONFIG)
    write_pages(folder)
    return folder


@pytest.fixture
def tailweave(monkeypatch, capsys):
    """The command line in this process: exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tailweave", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0), *capsys.readouterr()

    return call
