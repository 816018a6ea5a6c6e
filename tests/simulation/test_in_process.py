# SPDX-License-Identifier: Apache-2.0
"""Engine in-process: every question is answered once, by its own node, here or in a worker."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flwr.app import Message, RecordDict
from living import alive

from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.messages import Hello, HelloReply
from tailweave.protocols.records import decode, encode
from tailweave.server.failure import RunFailed
from tailweave.simulation.engines.in_process import InProcessGrid, run_in_process
from tailweave.simulation.prepare import prepare


@pytest.fixture
def run_config(tiny, tmp_path) -> dict[str, str]:
    return {"config": str(tiny()), "state-dir": str(tmp_path / "state")}


def nodes(count: int = 3) -> list[dict[str, int]]:
    return [{"partition-id": i} for i in range(count)]


@pytest.fixture
def grid(run_config) -> Iterator[InProcessGrid]:
    opened = InProcessGrid(nodes(), run_config, workers=0)
    yield opened
    opened.close()


def hello(node: int, seed: int = 0) -> Message:
    return Message(encode(Hello(run="r", seed=seed)), node, Hello.type)


def silos(replies) -> list[str]:
    return sorted(decode(reply.content, HelloReply).silo for reply in replies)


def test_every_node_answers_for_its_own_silo(grid):
    replies = list(grid.send_and_receive([hello(node) for node in grid.get_node_ids()]))
    assert silos(replies) == ["silo-0", "silo-1", "silo-2"]


def test_replies_name_the_question_and_the_node(grid):
    node = list(grid.get_node_ids())[1]
    question = hello(node)
    (name,) = grid.push_messages([question])
    (reply,) = grid.pull_messages([name])
    assert reply.metadata.reply_to_message_id == name == question.metadata.message_id
    assert reply.metadata.src_node_id == node
    assert reply.metadata.message_id not in ("", name)


def test_a_reply_is_handed_out_once(grid):
    (name,) = grid.push_messages([hello(100)])
    assert len(list(grid.pull_messages([name]))) == 1
    assert list(grid.pull_messages([name])) == []
    assert list(grid.pull_messages(["unheard of"])) == []


def test_a_handler_that_raises_is_an_error_reply(grid):
    question = hello(100)
    question.content["message"]["schema-version"] = 8
    (reply,) = grid.send_and_receive([question])
    assert reply.has_error()
    assert "schema version must be 10, got 8" in reply.error.reason
    assert reply.metadata.reply_to_message_id == question.metadata.message_id


def test_an_unknown_question_is_an_error_reply_too(grid):
    (reply,) = grid.send_and_receive([Message(encode(Hello(run="r", seed=0)), 100, "query.gossip")])
    assert reply.has_error()


def test_question_and_answer_share_no_memory_with_the_node(grid):
    question = hello(100)
    (first,) = grid.send_and_receive([question])
    question.content["message"]["body"] = "{}"
    first.content["message"]["body"] = "{}"
    (second,) = grid.send_and_receive([hello(100)])
    assert silos([second]) == ["silo-0"]


def answers(grid: InProcessGrid) -> list[RecordDict]:
    questions = [hello(node, seed) for node in grid.get_node_ids() for seed in (0, 1)]
    found = {r.metadata.reply_to_message_id: r.content for r in grid.send_and_receive(questions)}
    return [found[question.metadata.message_id] for question in questions]


@pytest.mark.slow
def test_workers_give_the_answers_of_this_process(grid, run_config):
    spread = InProcessGrid(nodes(), run_config, workers=2)
    try:
        assert answers(spread) == answers(grid)
        bad = hello(101)
        bad.content["message"]["schema-version"] = 8
        (reply,) = spread.send_and_receive([bad])
        assert "schema version must be 10, got 8" in reply.error.reason
        assert list(spread.send_and_receive([hello(100)], timeout=0.0)) == []
    finally:
        spread.close()


@pytest.mark.slow
def test_a_worker_that_dies_stops_the_run_with_a_remedy(tiny, tmp_path):
    config = tiny(recursion={"generations": 300, "samples": 60})
    prepare(load_experiment(config)).save_kits(tmp_path / "kits")
    settings = {"config": str(config), "out": str(tmp_path / "out"), "kit": str(tmp_path / "kits")}

    others = set(multiprocessing.active_children())  # of tests before this one, on their way out

    def assassin() -> None:
        while not (workers := set(multiprocessing.active_children()) - others):
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(workers.pop().pid, signal.SIGKILL)

    threading.Thread(target=assassin, daemon=True).start()
    with pytest.raises(RunFailed, match="a worker process died.*--resume"):
        run_in_process(nodes(), settings | {"state-dir": str(tmp_path / "s")}, workers=1)


ORPHAN = """
import multiprocessing, sys, time
from flwr.app import Message
from tailweave.protocols.messages import Hello
from tailweave.protocols.records import encode
from tailweave.simulation.engines.in_process import InProcessGrid
if __name__ == "__main__":
    grid = InProcessGrid([{"partition-id": 0}], {"config": sys.argv[1], "state-dir": "s"}, workers=1)
    grid.send_and_receive([Message(encode(Hello(run="r", seed=0)), 100, Hello.type)])
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(run_config, tmp_path):
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen(
        [sys.executable, str(script), run_config["config"]],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    end = time.monotonic() + 10
    while time.monotonic() < end and alive(worker):
        time.sleep(0.05)
    assert not alive(worker)


@pytest.mark.parametrize(
    ("visible", "given"), [("3,5", ["3", "5"]), ("GPU-7f", ["GPU-7f", "GPU-7f"]), ("", ["", ""])]
)
def test_each_worker_sees_one_gpu(run_config, monkeypatch, visible, given):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    spread = InProcessGrid(nodes(), run_config, workers=2)
    try:
        asked = [pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES") for pool in spread._pools]
        assert [answer.result(60) for answer in asked] == given
    finally:
        spread.close()
