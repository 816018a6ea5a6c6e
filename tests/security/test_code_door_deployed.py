# SPDX-License-Identifier: Apache-2.0
"""A malicious server on a real federation: it submits apps of its own, and nothing of them runs on a silo.

SuperLink, gate, SuperNodes and executors are those that ``tailweave deploy init`` makes, on loopback. While
apps are sent, another user of the silo's host tries to take the tasks.
"""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from bundles import ask_instead
from deploy_hosts import START_SECONDS, Host, in_a_hurry, make_kit
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType

from tailweave.simulation.deploy.app_executor import open_runtime
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.foreign_app import write_disguised_app, write_foreign_app
from tailweave.simulation.deploy.node_settings import load_node
from tailweave.simulation.engines.bundle import write_bundle, write_run_config
from tailweave.simulation.engines.control import Control

SILOS = ("north", "south")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(8 * START_SECONDS)]


@dataclass
class Thief:
    """Another user of a silo's host, who asks the SuperNode for tasks all the time."""

    address: str
    tokens: list[str] = field(default_factory=list)
    answered: int = 0
    refused: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        wanted = AcquireTaskRequest(supported_task_types=[kind.value for kind in TaskType])
        while not self.over.wait(0.02):
            client = open_runtime(self.address, None)
            try:
                token = client.AcquireTask(wanted).token
                self.answered += 1
                self.tokens += [token] if token else []
            except httpx.HTTPStatusError as error:
                self.refused += error.response.status_code == httpx.codes.UNAUTHORIZED
            except httpx.TransportError:
                continue
            finally:
                client.close()


@dataclass
class Raid:
    """What came of it: what the ServerApp of each app was told, and what was taken."""

    kit: Path
    thief: Thief
    told: dict[str, list[str]] = field(default_factory=dict)
    spoils: dict[str, bool] = field(default_factory=dict)


def submit(kit: Path, app: Path, heard: Path) -> list[str]:
    """Run an app and return what its ServerApp was told by the nodes."""
    federation = load_federation(kit)
    control = Control.connect(app.parent / "home", federation.control_address, federation.ca)
    number = control.submit(app, write_run_config(app.parent / "run.toml", {}), {})
    end = time.monotonic() + START_SECONDS
    while not heard.exists() or not heard.read_text():
        assert time.monotonic() < end, f"{app.name}: {control.status(number)}"
        time.sleep(0.5)
    outcome = json.loads(heard.read_text())
    assert outcome["asked"] == len(SILOS)
    return outcome["told"]


@pytest.fixture(scope="module")
def raid(tmp_path_factory) -> Iterator[Raid]:
    work = tmp_path_factory.mktemp("raid")
    host = Host(environment=in_a_hurry(tmp_path_factory.mktemp("hurry")))
    kit = make_kit(work / "kit", SILOS)
    thief = Thief(load_node(kit / "silos/north").runtime_address)
    watching = threading.Thread(target=thief, daemon=True)
    apps = {
        "foreign": lambda at, spoils, heard: write_foreign_app(at, spoils, heard),
        "disguised": lambda at, spoils, heard: ask_instead(write_disguised_app(at, spoils), heard),
        "installed": lambda at, spoils, heard: ask_instead(write_bundle(at, {"log-format": ""}), heard),
    }
    made = Raid(kit, thief)
    try:
        started = host.run(kit / "start.sh", cwd=kit)
        assert started.returncode == 0, started.stdout + started.stderr
        ready = (f"ok silo {name} {what}" for name in SILOS for what in ("online", "executor"))
        host.await_check(kit, *ready)
        watching.start()
        for name, write in apps.items():
            spoils, heard = work / f"{name}.spoils", work / f"{name}.heard"
            made.told[name] = submit(kit, write(work / name, spoils, heard), heard)
            made.spoils[name] = spoils.exists()
        yield made
    finally:
        thief.over.set()
        stopped = host.run(kit / "stop.sh", cwd=kit)
        assert stopped.stdout.count(" stopped") == 3 + 2 * len(SILOS), stopped.stdout + stopped.stderr


def test_an_app_of_a_stranger_runs_on_no_silo(raid):
    assert not raid.spoils["foreign"]
    assert len(raid.told["foreign"]) == len(SILOS)
    for reason in raid.told["foreign"]:
        assert reason == (
            "the server runs the app stranger/harmless, this silo runs tailweave/tailweave and no other"
        )


def test_a_changed_tailweave_runs_on_no_silo_and_the_changed_file_is_named(raid):
    assert not raid.spoils["disguised"]
    assert len(raid.told["disguised"]) == len(SILOS)
    assert all(reason.endswith("clients/app.py differs") for reason in raid.told["disguised"])


def test_the_installed_app_answers_whatever_the_servers_own_part_is(raid):
    assert len(raid.told["installed"]) == len(SILOS)
    for reason in raid.told["installed"]:  # the message was empty: the app's own decoder says so
        assert "records must be ['arrays', 'message'], got []" in reason


def test_nothing_that_was_sent_is_unpacked_on_a_silo(raid):
    assert list(raid.kit.glob("silos/*/state/flower/apps/*")) == []


def test_no_other_user_of_the_host_gets_a_task(raid):
    assert raid.thief.tokens == []
    assert raid.thief.answered == 0
    assert raid.thief.refused > 10
