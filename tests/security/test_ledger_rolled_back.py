# SPDX-License-Identifier: Apache-2.0
"""Host folder and state folder bear witness of each other; what an earlier version charged still counts."""

import shutil
from pathlib import Path

import pytest
from one_host import ask, edit, kit, table

from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.chain import read_ledger
from tailweave.clients.release.ledger import Charge, Ledger
from tailweave.simulation.deploy.data_set import refresh, standing
from tailweave.simulation.deploy.launch import settings
from tailweave.simulation.deploy.node_settings import load_node

pytest.importorskip("opendp")


@pytest.fixture
def ledgers(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "host/ledgers"))
    return tmp_path / "host/ledgers"


@pytest.fixture
def silo(tmp_path, ledgers) -> Path:
    return kit(tmp_path / "kit", table())


def everyone(silo: Path, match: str) -> None:
    """Asked, started, refreshed or checked: each refuses."""
    acts = (ask, settings, lambda s: refresh(load_node(s)), lambda s: standing(load_node(s)))
    for act in acts:
        with pytest.raises(ValueError, match=match):
            act(silo)


def test_an_emptied_host_folder_is_seen(silo, ledgers):
    ask(silo)
    shutil.rmtree(ledgers)
    everyone(silo, "missing: this kit was charged in that ledger .* put the folder back")
    assert not list(ledgers.glob("*/"))


def test_a_data_set_that_was_removed_is_seen(silo, ledgers):
    ask(silo)
    (folder,) = ledgers.glob("*/")
    shutil.rmtree(folder)
    everyone(silo, "missing: this kit was charged in that ledger")


def test_an_older_copy_of_the_host_folder_is_seen(silo, ledgers, tmp_path):
    ask(silo)
    shutil.copytree(ledgers, tmp_path / "copy")
    refresh(load_node(silo))
    ask(silo)
    shutil.rmtree(ledgers)
    shutil.copytree(tmp_path / "copy", ledgers)
    everyone(silo, r"rolled back: .* this kit has seen line \d")


def test_a_lost_host_key_is_refused(silo, ledgers):
    ask(silo)
    (ledgers / "host.key").unlink()
    edit(silo, "label: null", "text-column: null\nlabel: null")
    (silo / "data.csv").touch()
    everyone(silo, "host.key: missing: these ledgers' rows cannot be known again without it")


def test_another_host_folder_does_not_begin_anew(silo, tmp_path):
    ask(silo)
    edit(silo, "state-dir:", f"ledgers: {tmp_path / 'elsewhere'}\nstate-dir:")
    everyone(silo, "or set ledgers in node.yaml to where it is")


def charged_before(silo: Path, releases: int = 1, name: str = "north") -> Path:
    """Leave what an earlier version would have: a ledger in the state folder, versions named by the rows."""
    folder = silo / "state/releases" / name
    with Ledger.open(folder / "ledger.jsonl", create=True) as ledger:
        for number in range(releases):
            price = Charge(f"{number:064x}", "b" * 64, 2.0, 1e-6, 0.1, "cosine", "system")
            ledger.charge(price)
    return folder


def test_a_ledger_of_an_earlier_version_is_moved_with_its_charges(silo, ledgers):
    old = charged_before(silo)
    before = (old / "ledger.jsonl").read_bytes()
    assert f"moved there from {old}" in standing(load_node(silo))
    settings(silo)
    (folder,) = ledgers.glob("*/")
    assert (folder / "ledger.jsonl").read_bytes() == before
    assert not old.exists()
    with pytest.raises(BudgetError, match="1 releases of these data were charged"):
        ask(silo)
    settings(silo)
    assert (folder / "ledger.jsonl").read_bytes() == before, "moved once"


def test_two_ledgers_of_an_earlier_version_are_added_up(silo, ledgers, tmp_path):
    other = kit(tmp_path / "two", table())
    charged_before(silo, 2)
    charged_before(other, 3)
    for one in (silo, other, silo):
        settings(one)
    (folder,) = ledgers.glob("*/")
    with Ledger.open(folder / "ledger.jsonl", create=False) as ledger:
        assert ledger.spent() == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("step", ["copy2", "_rename", "close"])
def test_killed_while_it_is_moved_no_charge_is_lost(silo, ledgers, monkeypatch, step):
    import os

    from tailweave.clients.release import moving

    old = charged_before(silo, 2)
    target = {
        "copy2": (moving, "write_whole"),
        "_rename": (os, "rename"),
        "close": (Ledger, "close"),
    }[step]
    with monkeypatch.context() as patch:
        patch.setattr(*target, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            settings(silo)
    assert (old / "ledger.jsonl").exists()
    settings(silo)
    (folder,) = ledgers.glob("*/")
    assert sum(e.rho for e in read_ledger(folder / "ledger.jsonl") if e.rho) == pytest.approx(0.2)
    assert not old.exists()


def test_one_under_another_name_is_for_the_owner_to_judge(silo):
    charged_before(silo, name="south")
    everyone(silo, "a ledger of an earlier version, under another name than north; start the node once with")
