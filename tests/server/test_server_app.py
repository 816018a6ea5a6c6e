# SPDX-License-Identifier: Apache-2.0
"""The ServerApp: what it needs, what it writes, and a name that no other experiment has."""

import pytest
from flwr.app import Context, RecordDict

from protocols.config.load import dump_experiment
from server.app import app, run_name
from server.federation import RunFailed


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


def test_a_run_that_fails_keeps_what_was_recorded(staged):
    made, settings = staged
    made.grid.tampers[0, "retrain"] = made.grid.tampers[1, "retrain"] = lambda message, content: []
    with pytest.raises(RunFailed):
        app(made.grid, context(**settings))
    assert {row["silo"] for row in made.lines("metrics")} == {"silo-2"}
    assert len(made.lines("events")) == 2


def test_the_name_changes_with_every_change_of_the_experiment(scene):
    base = scene().federation.experiment
    other = scene(recursion={"generations": 4, "samples": 21}).federation.experiment
    assert run_name(base) == run_name(scene().federation.experiment)
    assert run_name(base) != run_name(other)
    assert run_name(base).startswith("scripted-")


def test_the_longest_name_still_makes_a_run_name(scene):
    long = scene(name="a" * 64).federation.experiment
    assert len(run_name(long)) <= 64
