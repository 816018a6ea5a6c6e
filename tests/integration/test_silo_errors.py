# SPDX-License-Identifier: Apache-2.0
"""What the server learns when a silo fails: that it did; never a path, a cell or a count of rows.

Silos with files of their own, each broken in another way, answer a real server in one run. Everything that
the server wrote is searched for what must stay on the nodes, and the nodes' own log for what must be there.
"""

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from flwr.app import Context, RecordDict

from tailweave.clients.node import world_of
from tailweave.clients.owner_report import REPORT, reports
from tailweave.protocols.config.load import load_experiment
from tailweave.server.app import app
from tailweave.simulation.engines.in_process import InProcessGrid
from tailweave.simulation.prepare import prepare

POLICY = "allow-no-privacy: true\nlifetime-epsilon: null\nreleases-per-data-version: 9\nmin-rows: 20\n"
CELL = "HIV-positive-4711"
CONFIG = {
    "name": "broken-silos",
    "seeds": 1,
    "data": {"source": "digits", "evaluation-fraction": 0.1},
    "features": {"kind": "pca", "dimensions": 4},
    "silos": {"count": 13, "partition": {"kind": "iid"}, "rows-per-silo": 80},
    "generator": {"kind": "gaussian-mixture", "components": 50, "start": "local"},
    "recursion": {"generations": 1, "samples": 60},
    "arms": [
        {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 3}},
        {
            "name": "noised",
            "rule": "herding",
            "reference": {"kind": "sliced", "directions": 4},
            "epsilon": 2.0,
        },
    ],
    "privacy": {"epsilon": None, "min-rows": 50, "min-cluster-size": 39},
    "evaluation": {"samples": 60},
    "federation": {"min-clients": 3},
}
COUNTS = {"few-for-clusters": 41, "few-for-noise": 47, "few-for-fit": 53}
HELD_OUT = 0.1
SAID = {
    "good-0": None,
    "good-1": None,
    "good-2": None,
    "missing-file": "failed at hello .DataError.",
    "bad-cell": "failed at hello .DataError.",
    "bad-policy": "failed at hello .ConfigError.",
    "no-policy": "failed at hello .ConfigError.",
    "no-state": "failed at summarise .NotADirectoryError.",
    "edited-ledger": "failed at summarise .LedgerError.",
    "few-for-clusters": "^a silo must hold at least min-cluster-size = 39 rows: it has fewer$",
    "few-for-noise": "fewer than min-rows = 50 rows, counted as in hello",
    # the arms start locally, so whether they fail is their owners' to know; summaries are judged as ever
    "few-for-fit": "fewer than min-rows = 50 rows, counted as in hello",
    "equal-rows": ".",
}
LOGGED = [
    "nowhere/rows.csv: there is no such file",
    f"bad-cell/rows.csv, line 2, column 'c0': found '{CELL}'",
    "bad-policy/policy.yaml: epsilom: unknown key",
    "no-policy/gone.yaml: no such file; see policy in node.yaml",
    "Not a directory: '.*no-state/state",
    "edited-ledger/ledger.jsonl: line 1: edited",
    "must be at most the 48 training rows",
    "must have a total variance",
]


@dataclass(frozen=True)
class Ran:
    """One run: where the server wrote, where the silos live, what the nodes logged."""

    out: Path
    home: Path
    logged: str

    def written(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.out.glob("*.jsonl")))

    def events(self, silo: str) -> list[dict]:
        """What went wrong with a silo, as the server knows it."""
        return [event for event in self.all_events() if event["silo"] == silo and event["event"] != "kept"]

    def all_events(self) -> list[dict]:
        return [json.loads(line) for line in (self.out / "events.jsonl").read_text().splitlines()]


def write_silo(home: Path, name: str, table: tuple[list[str], list[str]]) -> dict[str, str]:
    head, lines = table
    folder = home / name
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "rows.csv").write_text("\n".join([",".join(head), *lines]) + "\n")
    return {
        "name": name,
        "data": str(folder / "rows.csv"),
        "label": "label",
        "policy": str(folder / "policy.yaml"),
        "state-dir": str(folder / "state"),
    }


def tables(config: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Rows of the simulated world as lines of CSV; each silo gets others."""
    rows = world_of(config, 0).train
    head = [f"c{i}" for i in range(rows.values.shape[1])] + ["label"]
    lines = [
        ",".join([*map(repr, v), str(label)])
        for v, label in zip(rows.values.tolist(), rows.labels, strict=True)
    ]
    start = np.cumsum([0, *(COUNTS.get(name, 87) for name in SAID)])
    return {name: (head, lines[a:b]) for name, a, b in zip(SAID, start, start[1:], strict=False)}


def break_silos(home: Path, nodes: dict[str, dict[str, str]]) -> None:
    nodes["missing-file"]["data"] = str(home / "nowhere" / "rows.csv")
    nodes["no-policy"]["policy"] = str(home / "no-policy" / "gone.yaml")
    first, second, *rest = (home / "bad-cell" / "rows.csv").read_text().splitlines()
    spoilt = f"{CELL},{second.split(',', 1)[1]}"
    (home / "bad-cell" / "rows.csv").write_text("\n".join([first, spoilt, *rest]))
    (home / "bad-policy" / "policy.yaml").write_text("epsilom: 1\n")
    (home / "no-state" / "state").write_text("a file where a folder should be")
    ledger = home / "edited-ledger" / "state" / "releases" / "edited-ledger"
    ledger.mkdir(parents=True)
    (ledger / "ledger.jsonl").write_text("{}\n")
    (ledger / "ledger.head").write_text(json.dumps({"index": 0, "hash": "0" * 64}))
    head, first, *rest = (home / "equal-rows" / "rows.csv").read_text().splitlines()
    (home / "equal-rows" / "rows.csv").write_text("\n".join([head, *[first] * (1 + len(rest))]))


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Ran:
    base = tmp_path_factory.mktemp("servers-own")
    home = tmp_path_factory.mktemp("hospital")
    config = base / "experiment.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    prepare(load_experiment(config)).save_kits(base / "kits")
    nodes = {name: write_silo(home, name, table) for name, table in tables(config).items()}
    break_silos(home, nodes)
    settings = {"config": str(config), "out": str(base / "out"), "kit": str(base / "kits")}
    lines: list[str] = []
    listener = logging.Handler()
    listener.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("tailweave")
    logger.addHandler(listener)
    grid = InProcessGrid(list(nodes.values()), settings, workers=0)
    try:
        app(grid, Context(1, 1, {}, RecordDict(), dict(settings)))
    finally:
        grid.close()
        logger.removeHandler(listener)
    return Ran(base / "out", home, "\n".join(lines))


@pytest.mark.parametrize("silo", SAID)
def test_the_server_reads_which_silo_failed_and_at_what(ran, silo):
    events = ran.events(silo) or ran.events(f"node-{100 + list(SAID).index(silo)}")
    reason = SAID[silo]
    if reason is None:
        assert events == []
        return
    assert any(re.search(reason, event["reason"]) for event in events), events
    assert all(len(event["reason"]) < 200 for event in events)


def test_no_path_of_a_node_is_in_what_the_server_wrote(ran):
    written = ran.written()
    assert str(ran.home) not in written
    assert "hospital" not in written
    assert not re.search(r"\.(csv|yaml|npz|head|lock|key)\b", re.sub(r"wire/\d+\.npz", "", written))


def test_no_cell_is_in_what_the_server_wrote(ran):
    assert CELL not in ran.written()
    assert "HIV" not in ran.written()


@pytest.mark.parametrize("silo", COUNTS)
def test_no_count_of_rows_is_in_what_the_server_wrote(ran, silo):
    """A count may stand where a summary without noise has it, in its arrays; in no sentence."""
    whole = COUNTS[silo]
    train = whole - round(HELD_OUT * whole)
    reasons = " ".join(event["reason"] for event in ran.all_events() if event["silo"] == silo)
    assert reasons
    assert not re.search(rf"\b({whole}|{train})\b", reasons)


@pytest.mark.parametrize("reason", LOGGED)
def test_the_nodes_own_log_has_the_whole_reason(ran, reason):
    assert re.search(reason, ran.logged), ran.logged


def test_the_others_go_on(ran):
    kept = [event for event in ran.all_events() if event["event"] == "kept"]
    silos = {"good-0", "good-1", "good-2", "few-for-fit", "equal-rows"}
    assert {event["silo"] for event in kept} >= silos
    assert len({event["reason"] for event in kept}) == 1  # a failure cannot be told from a success
    assert (ran.out / "metrics.jsonl").read_text() == ""


@pytest.mark.parametrize(
    ("silo", "reason"), [("few-for-fit", "48 training rows"), ("equal-rows", "variance")]
)
def test_the_owner_reads_what_failed(ran, silo, reason):
    state = ran.home / silo / "state"
    (folder,) = state.glob(f"*/{REPORT}")
    lines = list(reports(state, folder.parent.name))
    assert any(reason in line.get("failed", "") for line in lines)
