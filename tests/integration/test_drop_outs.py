# SPDX-License-Identifier: Apache-2.0
"""Real silos that fail or vanish in a run of one message: when they are back, no digit is another."""

from collections.abc import Callable

import pytest
from flwr.app import Context, Error, Message, RecordDict

from tailweave.clients import recursion
from tailweave.protocols.config.load import load_experiment
from tailweave.server.app import app
from tailweave.simulation.engines import in_process
from tailweave.simulation.prepare import prepare

ARMS = [
    {"name": "siloed", "rule": "herding", "reference": "local"},
    {"name": "woven", "rule": "herding", "reference": {"kind": "sliced", "directions": 8, "coefficients": 4}},
]
FAT = {"deadline-seconds": 60.0, "min-clients": 2}
WRITTEN = ("metrics.jsonl", "wire.jsonl")


class Unreliable(in_process.InProcessGrid):
    """A node whose first answers to a kind of question are lost, while it is away for two looks."""

    def lose(self, node: int, kind: str, times: int) -> None:
        self.__dict__["plan"] = {"node": node, "kind": kind, "times": times, "away": 0}

    def get_node_ids(self):
        plan = self.__dict__.get("plan", {})
        nodes = list(super().get_node_ids())
        if plan.get("away"):
            plan["away"] -= 1
            nodes.remove(plan["node"])
        return nodes

    def _push(self, message: Message) -> str:
        name, plan = super()._push(message), self.__dict__.get("plan", {})
        ours = (
            message.metadata.dst_node_id == plan.get("node") and plan["kind"] in message.metadata.message_type
        )
        if ours and plan["times"]:
            plan["times"] -= 1
            plan["away"] = 2
            reply = Message(Error(5, "Node Unavailable"), reply_to=message)
            in_process._stamp(reply)
            self._ready[name] = reply
        return name


@pytest.fixture
def ran(tiny, tmp_path) -> Callable[..., dict[str, bytes]]:
    """Return a runner of one experiment; each run has folders of its own."""
    config = tiny(seeds=1, arms=ARMS, federation=FAT)
    experiment = load_experiment(config)
    prepare(experiment).save_kits(tmp_path / "kits")

    def run(name: str, prepare_grid: Callable[[Unreliable], None] = lambda grid: None) -> dict[str, bytes]:
        folder = tmp_path / name
        settings = {
            "config": str(config),
            "out": str(folder / "out"),
            "kit": str(tmp_path / "kits"),
            "state-dir": str(folder / "state"),
        }
        grid = Unreliable([{"partition-id": i} for i in range(3)], settings, workers=0)
        prepare_grid(grid)
        app(grid, Context(1, 1, {}, RecordDict(), dict(settings)))
        return {path.name: path.read_bytes() for path in (folder / "out").glob("*.jsonl")}

    return run


@pytest.mark.parametrize("kind", ["hello", "summarise", "retrain"])
def test_a_silo_that_was_away_for_a_while_leaves_no_trace_in_the_metrics(ran, kind):
    whole = ran("whole")
    disturbed = ran("disturbed", lambda grid: grid.lose(101, kind, 1))
    assert {name: disturbed[name] for name in WRITTEN} == {name: whole[name] for name in WRITTEN}
    assert (disturbed["events.jsonl"].count(b"refused"), disturbed["events.jsonl"].count(b"returned")) == (
        1,
        1,
    )


def test_a_silo_that_fails_half_way_goes_on_from_its_checkpoint(ran, monkeypatch):
    whole = ran("whole")
    step, done = recursion.step, []

    def full_disk(fixed, stage, rows):
        done.append((fixed.silo, fixed.arm.name, stage.generation))
        if done.count(("silo-1", "siloed", 1)) == 1 and done[-1] == ("silo-1", "siloed", 1):
            raise OSError("no space left on device")
        return step(fixed, stage, rows)

    monkeypatch.setattr(recursion, "step", full_disk)
    disturbed = ran("disturbed")
    assert {name: disturbed[name] for name in WRITTEN} == {name: whole[name] for name in WRITTEN}
    assert [t for silo, arm, t in done if (silo, arm) == ("silo-1", "siloed")] == [0, 1, 1, 2]


def test_a_silo_that_never_answers_again_is_left_out_of_what_it_missed(ran):
    disturbed = ran("disturbed", lambda grid: grid.lose(101, "retrain", 99))
    assert b"silo-1" not in disturbed["metrics.jsonl"]
    assert disturbed["metrics.jsonl"].count(b"\n") == 2 * 2 * 4
    assert disturbed["events.jsonl"].count(b'"silo": "silo-1"') == 2  # once an arm
