# SPDX-License-Identifier: Apache-2.0
"""The log of a whole run: one run id through server and nodes, and nothing of any silo's data.

Silos with files of their own, marked so that every number and path of theirs is known by sight, answer a
real server; some are broken, in the ways whose error texts quote cells and paths. Two runs: the second one is
resumed, which says more.
"""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from flwr.app import Context, RecordDict

from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.logs import Fields, close_log
from tailweave.server.app import app, run_name
from tailweave.simulation.engines.in_process import InProcessGrid
from tailweave.simulation.prepare import prepare

CELL, PLACE = "HIV-positive-4711", "hospital-records"
POLICY = "allow-no-privacy: true\nlifetime-epsilon: null\nreleases-per-data-version: 9\nmin-rows: 20\n"
CONFIG = {
    "name": "logged",
    "seeds": 1,
    "data": {"source": "csv", "path": "public.csv", "label": "kind", "standardize": False},
    "silos": {"count": 5, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian", "start": "local"},
    "recursion": {"generations": 2, "samples": 30},
    "arms": [
        {"name": "alone", "rule": "random"},
        {"name": "woven", "rule": "herding", "reference": {"kind": "sliced", "directions": 4}},
    ],
    "privacy": {"min-cluster-size": 10},
    "evaluation": {"samples": 30},
    "federation": {"min-clients": 2, "generations-per-message": 1, "deadline-seconds": 60.0},
}
GOOD = ("good-0", "good-1")
BROKEN = ("bad-cell", "missing-file", "bad-policy")


def table(marked: bool, seed: int) -> list[str]:
    """Rows near 7654: a number of a silo's rows, however it is rounded, begins with 76."""
    values = np.random.default_rng(seed).uniform(7600, 7699, (60, 2)) if marked else None
    rows = np.random.default_rng(seed).normal(7650, 30, (120, 2)) if values is None else values
    return ["u,v,kind", *(f"{u:.6f},{v:.6f},{'ab'[i % 2]}" for i, (u, v) in enumerate(rows.tolist()))]


def silo(home: Path, name: str, seed: int) -> dict[str, str]:
    folder = home / name
    folder.mkdir(parents=True)
    lines = table(True, seed)
    if name == "bad-cell":
        lines[1] = f"{CELL},1,a"
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (folder / "policy.yaml").write_text("epsilom: 1\n" if name == "bad-policy" else POLICY)
    data = folder / ("gone.csv" if name == "missing-file" else "rows.csv")
    return {
        "name": name,
        "data": str(data),
        "label": "kind",
        "policy": str(folder / "policy.yaml"),
        "state-dir": str(folder / "state"),
    }


class Run:
    def __init__(self, base: Path) -> None:
        self.out, home = base / "out", base / PLACE
        (base / "public.csv").write_text("\n".join(table(False, 0)) + "\n")
        config = base / "experiment.yaml"
        config.write_text(yaml.safe_dump(CONFIG))
        self.experiment = load_experiment(config)
        prepare(self.experiment, silos_elsewhere=True).save_kits(base / "kits")
        self.nodes = [silo(home, name, i) for i, name in enumerate((*GOOD, *BROKEN))]
        self.settings = {
            "config": str(config),
            "out": str(self.out),
            "kit": str(base / "kits"),
            "log-format": "json",
        }

    def __call__(self) -> None:
        grid = InProcessGrid(self.nodes, self.settings, workers=0)
        try:
            app(grid, Context(1, 1, {}, RecordDict(), dict(self.settings)))
        finally:
            grid.close()
            close_log()


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    plain = logging.getLogger("tailweave.clients")
    heard: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: heard.append(record.getMessage())
    plain.addHandler(listener)
    run = Run(tmp_path_factory.mktemp("logged"))
    try:
        run()
        whole = (run.out / "metrics.jsonl").read_bytes()
        (run.out / "metrics.jsonl").write_bytes(whole[: len(whole) // 2])
        run()
    finally:
        plain.removeHandler(listener)
    text = (run.out / "log.jsonl").read_text()
    return run, text, [json.loads(line) for line in text.splitlines()], "\n".join(heard)


def test_server_and_nodes_name_the_same_run(logged):
    run, _, lines, _ = logged
    named = {line["run"] for line in lines if not (line["part"] == "node" and line["event"] == "failed")}
    assert named == {run_name(run.experiment)}
    assert {line["part"] for line in lines} == {"server", "node"}


def test_every_round_asked_and_answered_is_there_with_seconds_and_bytes(logged):
    _, _, lines, _ = logged
    for part in ("server", "node"):
        answers = [line for line in lines if (line["part"], line["event"]) == (part, "answered")]
        greeted = {("node-100", "hello"), ("node-101", "hello")}  # until hello says more
        expected = {(silo, kind) for silo in GOOD for kind in ("hello", "summarise", "retrain")}
        if part == "server":
            expected = {(silo, kind) for silo, kind in expected if kind != "hello"} | greeted
        assert {(a["silo"], a["kind"]) for a in answers} == expected
        assert all(a["bytes"] > 0 and a["seconds"] >= 0 and a["level"] == "info" for a in answers)
        retrained = [a for a in answers if a["kind"] == "retrain"]
        assert {(a["arm"], a["start"], a["stop"]) for a in retrained} == {
            (arm, *span) for arm in ("alone", "woven") for span in ((0, 1), (2, 2))
        }


def test_refusals_retries_and_resumes_are_warnings(logged):
    _, _, lines, _ = logged
    warned = {(line["part"], line["event"]) for line in lines if line["level"] == "warning"}
    assert warned == {
        ("server", "refused"),
        ("server", "asked again"),
        ("server", "resumed"),
        ("node", "failed"),
        ("node", "resumed"),
    }
    assert {line["error"] for line in lines if line["event"] == "failed"} == {"DataError", "ConfigError"}


def test_no_line_holds_a_row_a_path_or_a_word_of_a_silos_data(logged):
    run, text, lines, plain = logged
    assert CELL in plain  # the node's own plain log has the reason: there was something to leak
    assert PLACE in plain
    for secret in (CELL, "HIV", PLACE, ".csv", ".yaml", str(run.out.parent), "/"):
        assert secret not in text, secret
    numbers = [v for line in lines for v in line.values() if isinstance(v, float)]
    assert not [n for n in numbers if 7000 < abs(n) < 8000]
    assert not re.search(r"\b76\d\d\.\d", text)


def test_lines_have_known_fields_only(logged):
    _, _, lines, _ = logged
    known = {"time", "level", "part", "run", "event", *Fields.__annotations__}
    assert {key for line in lines for key in line} <= known
    words = [v for line in lines for k, v in line.items() if k != "reason" and isinstance(v, str)]
    assert all(len(word) <= 64 for word in words)
    assert not [v for line in lines for v in line.values() if isinstance(v, list | dict)]
