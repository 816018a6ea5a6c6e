# SPDX-License-Identifier: Apache-2.0
"""The process that a silo starts for a message, over a real Runtime API: what it runs and believes."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from bundles import installed_bundle
from flwr.common.constant import ErrorCode
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType

from tailweave.protocols.messages import Hello
from tailweave.protocols.records import encode
from tailweave.simulation.deploy.app_executor import open_runtime, start_next
from tailweave.simulation.deploy.door_proof import DoorError, Question, check_locked, prove_door, stage
from tailweave.simulation.deploy.foreign_app import disguised_bundle

pytestmark = pytest.mark.slow
SECONDS = 120
TOKEN = re.compile("[0-9a-f]{32,}")
BLIND = """
import sys
if "tailweave.simulation.deploy.app_process" in sys.orig_argv:
    import tailweave.simulation.deploy.code_door
    tailweave.simulation.deploy.code_door.check_app = lambda bundle: None
"""
"""A comparison that lets everything through."""
BUSY = """
import sys
if "tailweave.simulation.deploy.app_process" in sys.orig_argv:
    import pathlib, time
    from tailweave.clients import node
    node.open_node = lambda *given, **more: (pathlib.Path({busy!r}).touch(), time.sleep(600))
"""
"""A question that takes long."""


@pytest.fixture(scope="module")
def at():
    with stage() as made:
        yield made


@pytest.fixture(scope="module")
def honest():
    return installed_bundle()


@pytest.fixture
def node_config(tmp_path):
    (tmp_path / "data.csv").write_text("u,v\n" + "".join(f"{i},{-i}\n" for i in range(30)))
    return {"data": str(tmp_path / "data.csv"), "state-dir": str(tmp_path / "state"), "name": "north"}


def hello():
    return encode(Hello(run="r", seed=0))


def answered(at, bundle, question):
    at.put(bundle, question)
    process = at.turn()
    code = process.wait(SECONDS)
    return at.answers()[question.run_id], code


def test_the_installed_app_answers(at, honest, node_config):
    reply, code = answered(at, honest, Question(1, node_config, content=hello()))
    assert not reply.has_error()
    assert code == 0


def test_a_comparison_that_lets_everything_through_still_runs_nothing_foreign(
    at, node_config, tmp_path, monkeypatch
):
    (tmp_path / "sitecustomize.py").write_text(BLIND)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}")
    spoils = tmp_path / "spoils"
    question = Question(2, node_config, content=hello())
    reply, _ = answered(at, disguised_bundle(spoils), question)
    assert not reply.has_error()  # the installed app has answered
    assert not spoils.exists()
    with pytest.raises(DoorError, match="a task with a foreign app was not refused|not refused but answered"):
        prove_door()  # so the proof is not blind


def test_the_proof_holds_here():
    assert prove_door().endswith("clients/app.py differs")


@pytest.mark.parametrize(
    ("number", "run_config"),
    [
        (3, {"log-format": "\x1b[2J"}),
        (4, {"config": "/etc/passwd", "state-dir": "/proc/nowhere", "kit": "/x", "out": "/x"}),
    ],
)
def test_what_the_server_names_in_the_run_config_does_not_matter(at, honest, node_config, number, run_config):
    question = Question(number, node_config, run_config=run_config, content=hello())
    reply, _ = answered(at, honest, question)
    assert not reply.has_error()


def test_a_node_without_data_takes_none_from_the_server(at, honest, tmp_path):
    config = Path(__file__).parents[2] / "configs/quickstart.yaml"
    named = {"config": str(config), "state-dir": str(tmp_path / "state")}
    question = Question(5, {"partition-id": "0"}, run_config=named, content=hello())
    reply, _ = answered(at, honest, question)
    assert "this node has no data" in reply.error.reason
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("number", "kind"), [(10, TaskType.AGENT_APP), (11, TaskType.SERVER_APP), (12, TaskType.SIMULATION)]
)
def test_a_silo_takes_no_other_kind_of_task(at, honest, node_config, number, kind):
    question = Question(number, node_config, kind, content=hello())
    reply, _ = answered(at, honest, question)
    assert reply.error.code == ErrorCode.INVALID_FAB
    assert f"the server wants '{kind}' to run" in reply.error.reason


def test_the_token_is_in_no_command_line(at, honest, node_config):
    at.put(honest, Question(20, node_config, content=hello()))
    client = open_runtime(at.address, at.secret)
    process = start_next(client, at.address, subprocess.DEVNULL)
    process.wait(SECONDS)
    assert set(at.answers()) == {20}  # so it had the token
    assert "--task-type" in process.args
    assert not [word for word in process.args if TOKEN.search(word) or "token" in word]


def test_an_app_that_is_told_to_end_says_so_and_the_server_may_ask_again(
    at, honest, node_config, tmp_path, monkeypatch
):
    busy = tmp_path / "busy"
    (tmp_path / "sitecustomize.py").write_text(BUSY.format(busy=str(busy)))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}")
    at.put(honest, Question(21, node_config, content=hello()))
    process = at.turn()
    end = time.monotonic() + SECONDS
    while not busy.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.wait(SECONDS)
    assert at.answers()[21].error.code == ErrorCode.CLIENT_APP_CRASHED


@pytest.mark.parametrize("secret", [None, b"another"])
def test_no_task_without_the_secret(at, honest, node_config, secret):
    run = 30 + (secret is None)
    at.put(honest, Question(run, node_config, content=hello()))
    client = open_runtime(at.address, secret)
    with pytest.raises(httpx.HTTPStatusError) as refused:
        client.AcquireTask(AcquireTaskRequest(supported_task_types=[TaskType.CLIENT_APP]))
    assert refused.value.response.status_code == httpx.codes.UNAUTHORIZED
    check_locked(at.address)
    at.turn().wait(SECONDS)
    assert set(at.answers()) == {run}
