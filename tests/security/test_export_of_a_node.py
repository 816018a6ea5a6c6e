# SPDX-License-Identifier: Apache-2.0
"""Rows of a model that learnt on a node leave by its owner's word only, and by no server's."""

import sys

import numpy as np
import pytest
from one_host import kit, table
from test_checkpoints_of_a_node import retrain

from tailweave.clients.data.tables import read_table
from tailweave.clients.release.policy import PolicyError
from tailweave.simulation import cli
from tailweave.simulation.export import Wanted, export


@pytest.fixture
def silo(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "host/ledgers"))
    return kit(tmp_path / "kit", table())


def allow(silo):
    path = next(silo.glob("policy*.yaml"))
    text = path.read_text()
    assert "allow-export: false" in text
    path.write_text(text.replace("allow-export: false", "allow-export: true"))


def test_without_the_owners_word_nothing_is_written(silo, tmp_path, monkeypatch, capsys):
    retrain(silo, 2)
    with pytest.raises(PolicyError, match="refused by the silo's policy: .* allow-export: true"):
        export(silo, Wanted(), tmp_path / "x.csv")
    monkeypatch.setattr(sys, "argv", ["tailweave", "export", str(silo), "-o", str(tmp_path / "x.csv")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert (left.value.code, capsys.readouterr().err.count("error:")) == (2, 1)
    assert not (tmp_path / "x.csv").exists()


def test_with_it_rows_are_drawn_and_the_selected_are_those_kept_since(silo, tmp_path):
    retrain(silo, 2, "before")
    allow(silo)
    assert "of --arm collaborative" in export(silo, Wanted(rows=40), tmp_path / "x.csv")
    drawn = read_table(tmp_path / "x.csv", None)
    assert (drawn.values.shape, drawn.columns) == ((40, 3), ("u", "v", "w"))
    with pytest.raises(ValueError, match="no generated samples were kept: .* policy did not allow an export"):
        export(silo, Wanted(selected=True), tmp_path / "y.csv")
    retrain(silo, 2, "after")
    with pytest.raises(ValueError, match="--run: which run is meant; allowed: after, before"):
        export(silo, Wanted(selected=True), tmp_path / "y.csv")
    with pytest.raises(ValueError, match="--run: no run 'affter'; did you mean 'after'?"):
        export(silo, Wanted(run="affter"), tmp_path / "y.csv")
    export(silo, Wanted(run="after", selected=True), tmp_path / "y.csv")
    selected = read_table(tmp_path / "y.csv", None).values
    assert len(selected) == 40
    own = {tuple(row) for row in table().tolist()}
    assert not own & {tuple(row) for row in np.round(selected, 4).tolist()}


def test_a_table_of_other_columns_gives_no_names(silo, tmp_path):
    retrain(silo, 2)
    allow(silo)
    path = next(silo.rglob("*.csv"))
    path.write_text("".join(line.rpartition(",")[0] + "\n" for line in path.read_text().splitlines()))
    with pytest.raises(ValueError, match="draws a table of 3 columns, .* a table of 2 columns by now"):
        export(silo, Wanted(rows=40), tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_a_run_that_is_not_over_leaves_nothing_to_draw_from(silo, tmp_path):
    retrain(silo, 1)
    allow(silo)
    with pytest.raises(ValueError, match="no arm has come to its end"):
        export(silo, Wanted(), tmp_path / "x.csv")
