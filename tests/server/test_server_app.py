# SPDX-License-Identifier: Apache-2.0
"""The ServerApp: what it needs, what it writes, and a name that no other experiment has."""

import json

import pytest
from flwr.app import Context, Message, RecordDict

from tailweave.protocols.config.load import dump_experiment
from tailweave.server.app import app, run_name
from tailweave.server.failure import RunFailed


def context(**run_config: str) -> Context:
    return Context(1, 1, {}, RecordDict(), run_config)


@pytest.fixture
def staged(scene, tmp_path):
    """A scene whose experiment and kits lie on disk as the simulation leaves them."""
    made = scene(seeds=[0, 4])
    made.federation.record.close()
    config = tmp_path / "config.yaml"
    config.write_text(dump_experiment(made.federation.experiment), encoding="utf-8")
    for seed in (0, 4):
        made.kit.save(tmp_path / "kits" / f"seed-{seed}.npz")
    return made, {"config": str(config), "out": str(made.out), "kit": str(tmp_path / "kits")}


def test_every_seed_is_run_and_recorded(staged):
    made, settings = staged
    app(made.grid, context(**settings))
    assert {row["seed"] for row in made.lines("metrics")} == {0, 4}
    assert {question.run for _, question in made.grid.asked} == {run_name(made.federation.experiment)}


@pytest.mark.parametrize(
    ("settings", "missing"), [({}, "config, out, kit"), ({"config": "c", "out": "", "kit": "k"}, "out")]
)
def test_settings_that_are_missing_are_named(staged, settings, missing):
    made, _ = staged
    with pytest.raises(ValueError, match=f"run-config lacks {missing}: start this app with `tailweave run`"):
        app(made.grid, context(**settings))


def test_a_missing_kit_is_refused_by_name(staged, tmp_path):
    made, settings = staged
    (tmp_path / "kits" / "seed-4.npz").unlink()
    with pytest.raises(ValueError, match="seed-4.npz: not a readable public kit"):
        app(made.grid, context(**settings))


def fails_at_the_second_span(grid, *nodes: int) -> None:
    def silent_then(message: Message, content) -> list[Message]:
        start = json.loads(str(message.content["message"]["body"]))["start"]
        return [] if start else [Message(content, reply_to=message)]

    grid.tampers |= {(node, "retrain"): silent_then for node in nodes}


def test_a_run_that_fails_keeps_what_was_recorded(staged):
    made, settings = staged
    fails_at_the_second_span(made.grid, 0, 1)
    with pytest.raises(RunFailed):
        app(made.grid, context(**settings))
    kept = {(row["silo"], row["generation"]) for row in made.lines("metrics")}
    assert kept == {(f"silo-{node}", generation) for node in range(3) for generation in range(3)}
    assert len(made.lines("events")) == 2


@pytest.mark.parametrize("away", [(0, 1), (1, 2)])
@pytest.mark.parametrize("kind", ["hello", "retrain", "later"])
def test_a_run_that_failed_for_want_of_silos_goes_on_as_if_they_had_not_been_away(
    staged, away, kind, tmp_path
):
    made, settings = staged
    app(made.grid, context(**settings | {"out": str(tmp_path / "whole")}))
    if kind == "later":
        fails_at_the_second_span(made.grid, *away)
    else:
        made.grid.tampers |= {(node, kind): lambda message, content: [] for node in away}
    with pytest.raises(RunFailed):
        app(made.grid, context(**settings))
    made.grid.tampers.clear()
    app(made.grid, context(**settings))
    for name in ("metrics.jsonl", "wire.jsonl"):
        assert (made.out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert len(made.lines("events")) == 2  # who was away is not forgotten


def test_a_run_is_not_resumed_with_other_silos_than_took_part(staged):
    made, settings = staged
    app(made.grid, context(**settings))
    made.grid.tampers[0, "hello"] = lambda message, content: []
    with pytest.raises(
        ValueError, match="wire.jsonl: line 1 differs .* start those that are away and --resume"
    ):
        app(made.grid, context(**settings))


def test_the_name_changes_with_every_change_of_the_experiment(scene):
    base = scene().federation.experiment
    other = scene(recursion={"generations": 4, "samples": 21}).federation.experiment
    assert run_name(base) == run_name(scene().federation.experiment)
    assert run_name(base) != run_name(other)
    assert run_name(base).startswith("scripted-")


def test_the_longest_name_still_makes_a_run_name(scene):
    long = scene(name="a" * 64).federation.experiment
    assert len(run_name(long)) <= 64
