# SPDX-License-Identifier: Apache-2.0
"""Rows have one ledger on their host: no renaming, copying, moving or emptying gives them a fresh budget.

Real kits and the real path from the question to the answer, with the system's noise. A fresh ledger would
draw anew, so an answer of the same bytes is one that nothing was charged for.
"""

import os
import shutil
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from one_host import ask, edit, kit, table, write

from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.chain import LedgerError, read_ledger
from tailweave.simulation.deploy.data_set import enrolled, refresh, standing
from tailweave.simulation.deploy.node_settings import load_node

pytest.importorskip("opendp")


@pytest.fixture
def ledgers(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TAILWEAVE_LEDGERS", str(tmp_path / "host/ledgers"))
    return tmp_path / "host/ledgers"


@pytest.fixture
def silo(tmp_path, ledgers) -> Path:
    return kit(tmp_path / "one", table())


def renamed(silo, folder):
    edit(silo, 'name: "north"', 'name: "south"')
    return silo


def emptied(silo, folder):
    shutil.rmtree(silo / "state")
    return silo


def renamed_and_emptied(silo, folder):
    return emptied(renamed(silo, folder), folder)


def another_state_folder(silo, folder):
    edit(silo, "state-dir: state ", f"state-dir: {folder / 'fresh'} ")
    return silo


def second_federation(silo, folder):
    other = kit(folder / "two", name="hospital")
    edit(other, "data: data.csv", f"data: {silo / 'data.csv'}")
    return other


def linked(silo, folder):
    other = kit(folder / "two", name="hospital")
    (other / "data.csv").symlink_to(silo / "data.csv")
    return other


def copied(silo, folder):
    other = kit(folder / "two", name="hospital")
    shutil.copy(silo / "data.csv", other / "data.csv")
    return other


def moved(silo, folder):
    other = kit(folder / "two", name="hospital")
    (silo / "data.csv").rename(other / "data.csv")
    shutil.rmtree(silo.parents[1])
    return other


def reordered(silo, folder):
    return kit(folder / "two", table()[::-1][:, [2, 0, 1]], "hospital")


def grown(silo, folder):
    return kit(folder / "two", np.vstack([table(), table(1, 2000)]), "hospital")


def cut(silo, folder):
    return kit(folder / "two", table()[:230], "hospital")


def other_rows_at_its_place_and_emptied(silo, folder):
    write(silo / "data.csv", table(9))
    return emptied(silo, folder)


WAYS = [
    renamed,
    emptied,
    renamed_and_emptied,
    another_state_folder,
    second_federation,
    linked,
    copied,
    moved,
    reordered,
    grown,
    cut,
    other_rows_at_its_place_and_emptied,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_way_to_a_fresh_budget(silo, tmp_path, ledgers, way):
    first = ask(silo)
    after = way(silo, tmp_path)
    assert ask(after) == first
    with pytest.raises(BudgetError, match="1 releases of these data were charged"):
        ask(after, seed=1)
    (folder,) = ledgers.glob("*/")
    assert sum(e.kind == "charge" for e in read_ledger(folder / "ledger.jsonl")) == 1


def test_a_lifetime_is_one_over_all_federations_and_refreshes(silo, tmp_path, ledgers):
    """Privacy-notes: eleven releases of epsilon 2 fit into a lifetime of 8, whoever asks."""
    kits, drawn = [silo, copied(silo, tmp_path)], set()
    for turn in range(11):
        drawn.add(ask(kits[turn % 2], seed=turn))
        refresh(load_node(kits[(turn + 1) % 2]))
    assert len(drawn) == 11
    for one in kits:
        with pytest.raises(BudgetError, match="lifetime-epsilon is 8"):
            ask(one, seed=99)


def test_other_rows_have_a_ledger_of_their_own(silo, tmp_path, ledgers):
    others = [kit(tmp_path / f"{seed}", table(seed), "hospital") for seed in (1, 2)]
    mixed = kit(tmp_path / "mixed", np.vstack([table()[:60], table(3)[:240]]), "hospital")
    assert len({ask(one) for one in (silo, *others, mixed)}) == 4
    assert len(list(ledgers.glob("*/"))) == 4


def test_two_at_once_are_charged_once(silo, tmp_path):
    kits, answers = [silo, copied(silo, tmp_path)], []
    ready = threading.Barrier(4)

    def work(one: Path) -> None:
        ready.wait()
        answers.append(ask(one))

    threads = [threading.Thread(target=work, args=(one,)) for one in kits * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1


def test_rows_of_two_ledgers_are_refused_until_the_owner_names_one_which_pays_for_both(
    silo, tmp_path, ledgers
):
    other = kit(tmp_path / "two", table(1), "south")
    ask(silo)
    ask(other)
    both = kit(tmp_path / "both", np.vstack([table(), table(1)]), "both")
    for act in (ask, lambda s: enrolled(load_node(s)), lambda s: standing(load_node(s))):
        with pytest.raises(ValueError, match="rows are of several data sets on this host: north-.*, south-"):
            act(both)
    names = sorted(path.name for path in ledgers.glob("*/"))
    edit(both, "state-dir:", "data-set: elsewhere\nstate-dir:")
    with pytest.raises(LedgerError, match="data-set 'elsewhere' is not that of these rows"):
        ask(both)
    edit(both, "data-set: elsewhere", f"data-set: {names[0]}")
    assert f"are joined into {names[0]}" in standing(load_node(both))
    ask_again = ask(silo)
    assert ask(both) == ask_again  # the ledger's own answer to that question
    chosen = read_ledger(ledgers / names[0] / "ledger.jsonl")
    assert [e.mechanism for e in chosen if e.kind == "joined"] == [names[1]]
    assert ask(other) == ask_again, "the other kit is in the joined ledger too"


def test_nothing_of_the_rows_is_in_names_or_readable_by_others(silo, ledgers):
    before = os.umask(0)
    try:
        ask(silo)
    finally:
        os.umask(before)
    cells = {f"{value:.4f}".lstrip("-") for value in table().ravel() if abs(value) > 0.1}
    for path in (ledgers, *ledgers.rglob("*"), *(silo / "state").rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path
        text = path.name + ("" if path.is_dir() else path.read_bytes().decode("latin-1"))
        assert not [cell for cell in cells if cell in text], path


def test_a_folder_that_others_may_look_into_is_refused(silo, ledgers):
    ledgers.mkdir(parents=True)
    ledgers.chmod(0o755)
    with pytest.raises(LedgerError, match="others may look into this folder of ledgers: chmod 700"):
        ask(silo)
