# SPDX-License-Identifier: Apache-2.0
"""Whether a silo's rows have changed is told to nobody but their owner, who decides when they count anew."""

import shutil
import sys

import numpy as np
import pytest
from one_host import ask, kit, table, write
from typer.testing import CliRunner

from tailweave.clients.release.budget import BudgetError
from tailweave.simulation import cli
from tailweave.simulation.deploy.command import app

pytest.importorskip("opendp")


@pytest.fixture
def silo(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "host/ledgers"))
    return kit(tmp_path / "kit", table())


def one_cell(rows):
    changed = rows.copy()
    changed[17, 1] += 0.0001
    return changed


CHANGES = {
    "one cell": one_cell,
    "order": lambda rows: rows[::-1],
    "a row less": lambda rows: rows[1:],
    "a row more": lambda rows: np.vstack([rows, table(5, 1)]),
    "all others": lambda rows: table(7),
    "too few to be asked": lambda rows: rows[:20],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_rows_changes_nothing_that_is_sent(silo, change):
    first = ask(silo)
    write(silo / "data.csv", change(table()))
    assert ask(silo) == first
    with pytest.raises(BudgetError, match="1 releases of these data were charged, releases-per-data-version"):
        ask(silo, seed=1)


def test_a_change_of_one_row_is_seen_by_the_owner_alone_who_says_refresh(silo):
    runner = CliRunner()

    def line() -> str:
        said = runner.invoke(app, ["check", "--quick", str(silo)]).output
        return next(one for one in said.splitlines() if one.split()[3] == "ledger")

    assert "no ledger of these rows in" in line()
    first = ask(silo)
    assert "1 charged, lifetime's epsilon 2 (of 8)" in line()
    assert "refresh" not in line()
    write(silo / "data.csv", one_cell(table()))
    assert (
        f"rows have changed since, the old release is sent until: tailweave deploy refresh {silo}" in line()
    )
    assert ask(silo) == first
    assert "rows have changed since" in line()
    done = runner.invoke(app, ["refresh", str(silo)])
    assert (done.exit_code, "a new data version began" in done.output) == (0, True)
    assert ask(silo) != first
    assert "refresh" not in line()
    assert "2 charged" in line()


def test_a_refresh_that_is_not_due_changes_nothing(silo):
    runner = CliRunner()
    for _ in range(2):
        assert "so none is due" in runner.invoke(app, ["refresh", str(silo)]).output
    first = ask(silo)
    runner.invoke(app, ["refresh", str(silo)])
    assert "so none is due" in runner.invoke(app, ["refresh", str(silo)]).output
    assert ask(silo) != first


def test_a_refresh_of_what_is_no_silo_is_one_message_and_exit_code_2(silo, monkeypatch, capsys):
    shutil.move(silo / "data.csv", silo / "gone.csv")
    for folder, told in ((silo.parent, "node.yaml: no such file"), (silo, "there is no such file")):
        monkeypatch.setattr(sys, "argv", ["tailweave", "deploy", "refresh", str(folder)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr().err
        assert (left.value.code, told in said, "Traceback" in said) == (2, True, False)
