# SPDX-License-Identifier: Apache-2.0
"""What runs leave on a silo's host: its owner's only, without rows once they are over, and gone when told."""

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from one_host import IDENTITY, kit, table
from typer.testing import CliRunner

from tailweave.clients import generators, retrain_round
from tailweave.clients.node import open_node
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.messages import Retrain
from tailweave.protocols.streams import stream
from tailweave.simulation import cli
from tailweave.simulation.deploy.command import app
from tailweave.simulation.deploy.kept_runs import forget, kept_runs
from tailweave.simulation.deploy.node_settings import load_node

GENERATOR = GaussianMixtureSpec(kind="gaussian-mixture", components=2)
BASE = generators.fit(GENERATOR, Samples.of(table(3)), rng=stream(0, "base")).arrays()


@pytest.fixture
def silo(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "host/ledgers"))
    return kit(tmp_path / "kit", table())


def retrain(silo: Path, stop: int, run: str = "a-run", start: int = 0, paradigm: str = "accumulate"):
    sliced = {"kind": "sliced", "directions": 4, "coefficients": 2}
    question = Retrain(
        run=run,
        seed=0,
        arm=ArmSpec.model_validate({"name": "collaborative", "rule": "herding", "reference": sliced}),
        generator=GENERATOR,
        recursion=RecursionSpec(generations=2, samples=40, candidates_per_sample=2, paradigm=paradigm),
        start=start,
        stop=stop,
        snapshots=(1, 2),
        arrays={
            **with_prefix("features", IDENTITY.arrays()),
            **with_prefix("base", BASE),
            "held-out/features": table(4, 50),
            "reference/sketch": np.zeros((4, 2)),
        },
    )
    return retrain_round.retrain(open_node(load_node(silo).node_config(), {}, seed=0), question)


def tables_in(folder: Path) -> list[str]:
    """Arrays that are tables of the silo's columns: its rows, or what it was trained on in their place."""
    found = []
    for path in folder.rglob("*.npz"):
        with np.load(path) as stored:
            found += [
                f"{path.name}/{n}" for n in stored.files if stored[n].shape[1:] == (3,) and len(stored[n]) > 9
            ]
    return found


def test_no_row_is_left_of_a_run_that_is_over_and_a_repeated_question_is_answered(silo):
    part = retrain(silo, 1)
    assert tables_in(silo / "state") == ["latest.npz/pool/values"]
    first = retrain(silo, 2, start=2)
    assert tables_in(silo / "state") == []
    again = retrain(silo, 2)
    assert again.rows() == (part.rows() | first.rows())
    names = sorted(path.name for path in (silo / "state").rglob("*") if path.is_file())
    assert names == ["collaborative.jsonl", "latest.npz", "reference.npz"]


def test_others_on_the_host_read_nothing_of_it(silo):
    before = os.umask(0)
    try:
        retrain(silo, 1)
    finally:
        os.umask(before)
    for path in (silo / "state", *(silo / "state").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_its_owner_lists_runs_and_forgets_them(silo):
    retrain(silo, 2, "one-run")
    retrain(silo, 1, "another-run")
    (silo / "state/releases").mkdir()
    runner = CliRunner()
    said = runner.invoke(app, ["runs", str(silo)]).output.splitlines()
    assert [line.split()[0] for line in said] == ["another-run", "one-run"]
    assert "KiB  0 of 1 arms and seeds finished" in said[0]
    assert "1 of 1 arms and seeds finished" in said[1]
    done = runner.invoke(app, ["forget", str(silo), "--all-finished"])
    assert (done.exit_code, done.output.split()[:2]) == (0, ["removed:", "one-run"])
    assert sorted(path.name for path in (silo / "state").iterdir()) == ["another-run", "releases"]
    assert runner.invoke(app, ["forget", str(silo), "another-run"]).exit_code == 0
    assert [path.name for path in (silo / "state").iterdir()] == ["releases"]
    assert runner.invoke(app, ["runs", str(silo)]).output == ""


def test_a_forgotten_run_that_was_half_removed_goes_with_the_next(silo, monkeypatch):
    import shutil

    retrain(silo, 2)
    node = load_node(silo)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            forget(node, "a-run")
    assert kept_runs(node) == []
    assert forget(node, None) == []
    assert list((silo / "state").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["other"], "no run 'other' in .*; there are: a-run"),
        (["../state"], r"no run '../state' in"),
        (["releases"], "no run 'releases'"),
        ([], "forget takes the name of one run, or --all-finished"),
        (["a-run", "--all-finished"], "forget takes the name of one run, or --all-finished"),
    ],
)
def test_what_is_no_run_is_one_message_and_exit_code_2(silo, monkeypatch, capsys, given, told):
    from re import search

    retrain(silo, 1)
    (silo / "state/releases").mkdir()
    monkeypatch.setattr(sys, "argv", ["tailweave", "deploy", "forget", str(silo), *given])
    with pytest.raises(SystemExit) as left:
        cli.main()
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert search(told, said)
    assert "Traceback" not in said
    assert (silo / "state/a-run").exists()
