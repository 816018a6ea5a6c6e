# SPDX-License-Identifier: Apache-2.0
"""One federation with a bad silo of each kind: all are refused by name, with a remedy, and the others go on.

``test_deploy_walk`` has what concerns one silo alone: its label column's name, its policy, a registered key
that changes, and the server's certificate.
"""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from deploy_hosts import CONFIG, RUN_SECONDS, START_SECONDS, Host, edit, in_a_hurry, make_kit

from tailweave.protocols.node_keys import make_node_keys
from tailweave.protocols.records import SCHEMA_VERSION
from tailweave.simulation.deploy.certificates import make_ca

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * RUN_SECONDS + 3 * START_SECONDS)]
GOOD, ASKED, ABSENT = ("north", "south"), ("wide", "old", "bare"), ("expired", "stranger", "hollow")
OLDER = """
import os
if "/silos/old/" in os.getcwd() and "tailweave.simulation.deploy.app_process" in sys.orig_argv:
    import tailweave.protocols.records
    tailweave.protocols.records.SCHEMA_VERSION -= 1
"""
"""What an older tailweave on one silo comes to."""
AT_START = {
    "expired": ("ca.crt: expired on", "a new ca.crt from the server"),
    "hollow": ("the file is empty", "remedy: set data, label and policy in"),
}
IN_THE_RUN = {
    "wide": ("it has 1 more (named in this node's own log)", "give the file the federation's columns"),
    "old": (
        f"schema version must be {SCHEMA_VERSION - 1}, got {SCHEMA_VERSION}",
        "install the same version of tailweave",
    ),
    "bare": ("label: it has none, the federation's is 'kind'", "set label in its node-config"),
}


def add_column(path: Path) -> None:
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"extra,{head}", *(f"0.5,{row}" for row in rows)]) + "\n", encoding="utf-8")


def drop_label(silo: Path) -> None:
    rows = (silo / "data.csv").read_text(encoding="utf-8").splitlines()
    (silo / "data.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows) + "\n", encoding="utf-8")
    edit(silo / "node.yaml", "label: kind", "label: null")


def spoil(silos: Path) -> None:
    add_column(silos / "wide/data.csv")
    drop_label(silos / "bare")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=30)
    (silos / "expired/ca.crt").write_bytes(make_ca("old", now=before, days=10).certificate)
    (silos / "stranger/node.key").write_bytes(make_node_keys("stranger").private)
    (silos / "hollow/data.csv").write_text("")


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> Host:
    return Host(environment=in_a_hurry(tmp_path_factory.mktemp("start"), OLDER))


@pytest.fixture(scope="module")
def kit(tmp_path_factory, host) -> Iterator[tuple[Path, str]]:
    """A federation with all of them, started; and what the start script complained of."""
    folder = make_kit(tmp_path_factory.mktemp("faults") / "kit", (*GOOD, *ASKED, *ABSENT))
    spoil(folder / "silos")
    try:
        started = host.run(folder / "start.sh", cwd=folder)
        assert started.returncode == 2, started.stdout + started.stderr
        host.await_check(folder, *(f"ok silo {name} online" for name in (*GOOD, *ASKED)))
        yield folder, started.stderr
    finally:
        host.run(folder / "stop.sh", cwd=folder)


@pytest.mark.parametrize("name", AT_START)
def test_a_silo_that_cannot_start_is_named_with_its_remedy(kit, name):
    _, told = kit
    (line,) = [line for line in told.splitlines() if line.startswith(f"error: silo {name}: ")]
    for words in AT_START[name]:
        assert words in line


def test_a_silo_that_nobody_registered_is_refused_and_told_what_to_do(kit, host):
    folder, _ = kit
    refused = "FAIL silo stranger supernode its last start failed: the SuperLink refused it (305)"
    assert "server/superlink.sh register" in host.await_check(folder / "silos/stranger", refused)
    told = host.await_check(folder, "FAIL silo stranger node key SHA256:")
    assert "is not the key that the server has for this silo" in told


def test_the_others_run_to_the_end_and_the_run_says_who_was_refused_and_why(kit, host):
    folder, _ = kit
    work = folder.parent
    raw = yaml.safe_load(CONFIG % len((*GOOD, *ASKED, *ABSENT)))
    config = work / "faults.yaml"
    config.write_text(yaml.safe_dump(raw | {"federation": {"return-seconds": 5.0}}), encoding="utf-8")
    flags = ("--engine", "superlink", "--federation", folder, "--out", work / "out")
    done = host.tailweave("run", config, *flags, cwd=work, seconds=2 * RUN_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (work / "out/metrics.jsonl").read_text().splitlines()]
    assert {row["silo"] for row in rows} == set(GOOD)
    events = [json.loads(line) for line in (work / "out/events.jsonl").read_text().splitlines()]
    reasons = {event["silo"]: event["reason"] for event in events if event["event"] != "kept"}
    assert set(reasons) == {*ASKED, *ABSENT}
    report = (work / "out/report.html").read_text(encoding="utf-8")
    for name, words in IN_THE_RUN.items():
        for part in words:
            assert part in reasons[name]
        assert f"{name}: refused or missing (hello)" in " ".join(done.stdout.split())
        assert name in report
    assert all("is its SuperNode running?" in reasons[name] for name in ABSENT)
    host.await_check(folder, *(f"ok silo {name} online" for name in (*GOOD, *ASKED)))
