# SPDX-License-Identifier: Apache-2.0
"""Which ledger rows have; that unchanged rows are not read; and what a killed process leaves is put right."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients.release import enrolment
from tailweave.clients.release.chain import LedgerError
from tailweave.clients.release.data_set import DataSet, data_sets
from tailweave.clients.release.enrolment import enrol, look
from tailweave.clients.release.ledger import Charge, Ledger
from tailweave.clients.release.places import Own, place_of

ROWS = np.random.default_rng(0).normal(size=(300, 3))
OTHERS = np.random.default_rng(1).normal(size=(300, 3))


def own(folder: Path, name: str = "north", **more) -> Own:
    """Rows lie in a file of that name; its content is a mark only, values come from the test."""
    path = folder / f"{name}.csv"
    if not path.exists():
        path.write_text("rows")
    return Own(folder / "host", folder / "state" / name, name, place_of(path, ""), **more)


def touched(one: Own, mark: str) -> Own:
    Path(one.place.path).write_text(mark)
    return replace(one, place=place_of(Path(one.place.path), ""))


def never() -> np.ndarray:
    raise AssertionError("rows that lie as they did must not be read")


def spend(folder: Path, rho: float = 0.1) -> None:
    with Ledger.open(folder / "ledger.jsonl", create=True) as ledger:
        ledger.charge(Charge(ledger.version, "b" * 64, 2.0, 1e-6, rho, "cosine", "system"))


def spent(folder: Path) -> float:
    with Ledger.open(folder / "ledger.jsonl", create=False) as ledger:
        return ledger.spent()


def test_rows_are_read_once_and_again_when_they_may_have_changed(tmp_path):
    first = enrol(own(tmp_path), lambda: ROWS)
    assert enrol(own(tmp_path), never) == first
    changed = touched(own(tmp_path), "more rows")
    with pytest.raises(AssertionError, match="must not be read"):
        enrol(changed, never)
    again = enrol(changed, lambda: ROWS[:200])
    assert (again.folder, again.table != first.table) == (first.folder, True)
    assert enrol(changed, never) == again


def test_a_table_that_changes_little_by_little_keeps_its_ledger_and_its_past(tmp_path):
    """A tenth of the rows is replaced at a time, at ten places; then the first table comes back."""
    rows, folders = ROWS.copy(), set()
    for step in range(10):
        rows[30 * step : 30 * (step + 1)] = OTHERS[30 * step : 30 * (step + 1)]
        folders.add(enrol(own(tmp_path, f"at-{step}"), rows.copy).folder)
    folders.add(enrol(own(tmp_path, "again"), lambda: ROWS).folder)
    folders.add(enrol(own(tmp_path, "others"), lambda: OTHERS).folder)
    assert len(folders) == 1


def test_a_look_writes_nothing(tmp_path):
    assert look(own(tmp_path), never).known == {}
    assert not (tmp_path / "host").exists()
    enrol(own(tmp_path), lambda: ROWS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "host").rglob("*")}
    assert len(look(own(tmp_path, "south"), lambda: ROWS).known) == 1
    assert look(own(tmp_path, "west"), lambda: OTHERS).known == {}
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "host").rglob("*")}


def two_to_join(tmp_path: Path) -> tuple[Path, Path, Own]:
    one, two = (enrol(own(tmp_path, n), lambda r=r: r).folder for n, r in (("a", ROWS), ("b", OTHERS)))
    spend(one, 0.1)
    spend(two, 0.2)
    return one, two, own(tmp_path, "both", chosen=two.name)


def both() -> np.ndarray:
    return np.vstack([ROWS, OTHERS])


def test_joined_data_sets_are_one_from_then_on(tmp_path):
    one, two, joint = two_to_join(tmp_path)
    assert enrol(joint, both).folder == two
    assert spent(two) == pytest.approx(0.3, rel=1e-12)
    assert enrol(own(tmp_path, "a"), never).folder == two
    assert enrol(own(tmp_path, "c"), lambda: ROWS).folder == two
    assert list(data_sets(tmp_path / "host")) == [two.name]
    with Ledger.open(one / "ledger.jsonl", create=False) as ledger:
        assert ledger.closed == two.name


@pytest.mark.parametrize("at", range(1, 4))
def test_killed_while_joining_no_charge_is_lost_or_counted_twice(tmp_path, monkeypatch, at):
    one, two, joint = two_to_join(tmp_path)
    steps = iter(range(1, 99))

    def counted(real):
        def call(*arguments, **options):
            if next(steps) == at:
                raise KeyboardInterrupt
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("join", "close"):
            patch.setattr(Ledger, name, counted(getattr(Ledger, name)))
        patch.setattr(DataSet, "save", counted(DataSet.save))
        with pytest.raises(KeyboardInterrupt):
            enrol(joint, both)
    assert enrol(joint, both).folder == two
    assert spent(two) == pytest.approx(0.3, rel=1e-12)
    assert list(data_sets(tmp_path / "host")) == [two.name]


def test_killed_while_it_is_begun_a_data_set_is_not_there(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(enrolment, "sync_folder", lambda *_: None)
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            enrol(own(tmp_path), lambda: ROWS)
    assert data_sets(tmp_path / "host") == {}
    folder = enrol(own(tmp_path), lambda: ROWS).folder
    assert [path.name for path in (tmp_path / "host").iterdir() if path.is_dir()] == [folder.name]


def test_a_host_folder_that_cannot_be_used_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "host").touch(mode=0o600)
    with pytest.raises(LedgerError, match="host: cannot be used .* set ledgers in node.yaml"):
        enrol(own(tmp_path), lambda: ROWS)
    (tmp_path / "host").unlink()
    folder = enrol(own(tmp_path), lambda: ROWS).folder
    content = (folder / "identity.json").read_bytes()
    (folder / "identity.json").write_bytes(content[:50])
    with pytest.raises(LedgerError, match="identity.json: cannot be read back; put it back"):
        enrol(own(tmp_path), lambda: ROWS)
    (folder / "identity.json").write_bytes(content)
    (tmp_path / "host/host.key").write_bytes(b"short")
    with pytest.raises(LedgerError, match="a host's key has 32 bytes, got 5"):
        enrol(touched(own(tmp_path), "new"), lambda: ROWS)
    shutil.rmtree(folder)
