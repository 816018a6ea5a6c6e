# SPDX-License-Identifier: Apache-2.0
"""The ledger: adds up, survives a torn line, and refuses whatever a crash cannot have left."""

import hashlib
import json
import math
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailweave.clients.release.chain import LedgerError, read_ledger
from tailweave.clients.release.ledger import Charge, Ledger

V, R, P = "a" * 64, "b" * 64, "c" * 64


def price(rho: float | None = 0.1, version: str = V, request: str = R, **fields) -> Charge:
    noise = fields.pop("noise", "system" if rho else "none")
    return Charge(version, request, 2.0 if rho else None, 1e-6, rho, "cosine", noise)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of five lines: open, charge, sent, charge, sent."""
    path = tmp_path / "silo" / "ledger.jsonl"
    with Ledger.open(path, create=True) as ledger:
        for request in (R, "d" * 64):
            ledger.charge(price(request=request))
            ledger.sent(V, request, P)
    return path


@pytest.fixture
def whole(path: Path) -> bytes:
    return path.read_bytes()


def refused(path: Path, match: str, *, create: bool = False) -> None:
    before = {p.name: p.read_bytes() for p in path.parent.iterdir() if p.suffix != ".lock"}
    with pytest.raises(LedgerError, match=match), Ledger.open(path, create=create):
        pass
    assert before == {p.name: p.read_bytes() for p in path.parent.iterdir() if p.suffix != ".lock"}


def rewrite(path: Path, number: int, old: bytes, new: bytes) -> None:
    lines = path.read_bytes().split(b"\n")
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new)
    path.write_bytes(b"\n".join(lines))


def test_adds_rho_over_charges_only(path):
    with Ledger.open(path, create=False) as ledger:
        assert ledger.spent() == pytest.approx(0.2, rel=1e-15)
        assert [e.kind for e in ledger.entries] == ["open", "charge", "sent", "charge", "sent"]
        assert (ledger.charges(V), ledger.charges(P)) == (2, 0)
        assert ledger.charged(V, R)
        assert not ledger.charged(R, V)
        assert (ledger.payload(V, R), ledger.payload(V, V)) == (P, None)


def test_a_price_paid_twice_counts_twice(path):
    with Ledger.open(path, create=False) as ledger:
        ledger.charge(price())
        assert ledger.spent() == pytest.approx(0.3, rel=1e-15)


def test_lines_are_chained_as_documented(path):
    """Independent reading: hash = SHA-256 of the sorted compact JSON without the hash."""
    previous = "0" * 64
    for index, line in enumerate(path.read_text().splitlines()):
        entry = json.loads(line)
        digest = entry.pop("hash")
        assert (entry["index"], entry["previous_hash"]) == (index, previous)
        previous = hashlib.sha256(
            json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
        ).hexdigest()
        assert digest == previous
    assert json.loads(path.with_suffix(".head").read_text()) == {"index": 4, "hash": previous}


def test_files_are_the_owners_alone(path):
    assert {p.stat().st_mode & 0o077 for p in (path.parent, *path.parent.iterdir())} == {0}


def test_a_line_is_on_the_disk_before_its_head_and_both_before_charge_returns(path, monkeypatch):
    events = []
    real = {name: getattr(os, name) for name in ("write", "fsync", "replace")}

    def spy(name):
        def called(*args):
            if name == "fsync":
                events.append(("fsync", os.readlink(f"/proc/self/fd/{args[0]}")))
            else:
                events.append((name, str(args[1]) if name == "replace" else "line"))
            return real[name](*args)

        return called

    with Ledger.open(path, create=False) as ledger:
        for name in real:
            monkeypatch.setattr(os, name, spy(name))
        ledger.charge(price())
        events.append(("returned", ""))
        monkeypatch.undo()
    part = events[2][1]
    folder, head = path.parent, path.with_suffix(".head")
    assert events == [
        ("write", "line"),
        ("fsync", str(path)),
        ("fsync", part),
        ("replace", str(head)),
        ("fsync", str(folder)),
        ("returned", ""),
    ]
    assert re.fullmatch(r"\.ledger\.head\.[0-9a-f]{16}\.part", Path(part).name)
    assert Path(part).parent == folder


@pytest.mark.parametrize("keep", ["none", "some", "all-but-newline"])
def test_a_torn_line_was_never_charged_and_is_cut_off(path, keep):
    head, whole = path.with_suffix(".head").read_bytes(), path.read_bytes()
    with Ledger.open(path, create=False) as ledger:
        ledger.charge(price())
    line = path.read_bytes()[len(whole) :]
    torn = {"none": b"\0" * 9, "some": line[: len(line) // 2], "all-but-newline": line[:-1]}[keep]
    path.write_bytes(whole + torn)
    path.with_suffix(".head").write_bytes(head)
    assert len(read_ledger(path)) == 5
    assert path.read_bytes() == whole + torn, "reading must not repair"
    with Ledger.open(path, create=False) as ledger:
        assert ledger.spent() == pytest.approx(0.2, rel=1e-15)
        assert path.read_bytes() == whole
        ledger.charge(price())
    assert len(read_ledger(path)) == 6


def test_a_whole_line_beyond_the_head_counts(path):
    head = path.with_suffix(".head").read_bytes()
    with Ledger.open(path, create=False) as ledger:
        ledger.charge(price())
    path.with_suffix(".head").write_bytes(head)
    with Ledger.open(path, create=False) as ledger:
        assert ledger.spent() == pytest.approx(0.3, rel=1e-15)
    assert json.loads(path.with_suffix(".head").read_text())["index"] == 5


@given(cut=st.integers(1, 2500))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_ledger_cut_anywhere_below_its_head_is_refused(path, whole, cut):
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    refused(path, "rolled back")
    refused(path, "rolled back", create=True)


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_byte_goes_unseen(path, whole, at, flip):
    content = bytearray(whole)
    content[at % len(content)] ^= flip
    path.write_bytes(bytes(content))
    refused(path, r"line \d+: edited|rolled back")


@pytest.mark.parametrize("number", [2, 4])
def test_an_edited_line_is_named(path, number):
    rewrite(path, number, b'"rho":0.1', b'"rho":0.01')
    refused(path, f"line {number}: edited: its hash")


def test_a_line_edited_with_its_own_hash_mended_breaks_the_next(path):
    lines = path.read_bytes().splitlines()
    entry = json.loads(lines[1])
    entry["rho"] = 0.01
    del entry["hash"]
    sealed = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    entry["hash"] = hashlib.sha256(sealed.encode()).hexdigest()
    lines[1] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()
    path.write_bytes(b"\n".join([*lines, b""]))
    refused(path, "line 3: edited: it does not follow")


@pytest.mark.parametrize("line", [b"", b"[]", b'{"index":1}', b"\xff"])
def test_a_line_that_is_no_entry_is_named(path, line):
    lines = path.read_bytes().split(b"\n")
    lines[2] = line
    path.write_bytes(b"\n".join(lines))
    refused(path, "line 3: edited: it is not an entry")


@pytest.mark.parametrize("create", [False, True])
def test_a_removed_line_ledger_or_head_is_refused(path, create):
    whole = path.read_bytes()
    path.write_bytes(b"".join(line + b"\n" for i, line in enumerate(whole.splitlines()) if i != 1))
    refused(path, "line 2: edited: it does not follow", create=create)
    path.unlink()
    refused(path, "missing", create=create)
    path.write_bytes(whole)
    path.with_suffix(".head").unlink()
    refused(path, "head: missing", create=create)


def test_older_copies_of_ledger_or_head_are_refused(path):
    old = path.parent.with_name("old")
    shutil.copytree(path.parent, old)
    with Ledger.open(path, create=False) as ledger:
        ledger.charge(price())
        ledger.charge(price())
    new_ledger, new_head = path.read_bytes(), path.with_suffix(".head").read_bytes()
    path.write_bytes((old / path.name).read_bytes())
    refused(path, "rolled back: it ends at line 5, its head at line 7")
    path.write_bytes(new_ledger)
    path.with_suffix(".head").write_bytes((old / "ledger.head").read_bytes())
    refused(path, "its head was rolled back: it is at line 5, the ledger at line 7")
    path.with_suffix(".head").write_bytes(new_head.replace(b'"index":6', b'"index":5'))
    refused(path, "line 6: is not the one that its head names")
    path.with_suffix(".head").write_bytes(b"{}")
    refused(path, "head: edited")


def test_another_ledger_of_the_same_length_is_refused(path, tmp_path):
    other = tmp_path / "other" / "ledger.jsonl"
    with Ledger.open(other, create=True) as ledger:
        for _ in range(4):
            ledger.charge(price(rho=1e-9))
    path.write_bytes(other.read_bytes())
    refused(path, "line 5: is not the one that its head names")


def test_is_not_begun_unless_told_to(tmp_path):
    missing = tmp_path / "nowhere" / "ledger.jsonl"
    with pytest.raises(LedgerError, match="missing"), Ledger.open(missing, create=False):
        pass
    assert not missing.parent.exists()


def test_a_beginning_that_was_interrupted_begins_again(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path, create=True):
        pass
    path.with_suffix(".head").unlink()
    with Ledger.open(path, create=True) as ledger:
        assert ledger.spent() == 0.0


@pytest.mark.parametrize(("rho", "noise"), [(None, "none"), (0.1, "seeded")])
def test_simulated_noise_needs_a_simulation_and_stays_visible(tmp_path, rho, noise):
    path = tmp_path / "ledger.jsonl"
    with Ledger.open(path, create=True) as ledger, pytest.raises(LedgerError, match=f"got '{noise}'"):
        ledger.charge(price(rho, noise=noise))
    with Ledger.open(path, create=False, simulation=True) as ledger:
        ledger.charge(price(rho, noise=noise))
        assert ledger.entries[-1].simulated
        assert ledger.spent() == (math.inf if rho is None else rho)
    refused(path, f"line 2: a release with noise '{noise}'")


def test_the_owners_refresh_alone_begins_a_data_version(tmp_path):
    with Ledger.open(tmp_path / "ledger.jsonl", create=True) as ledger:
        first = ledger.version
        assert not ledger.refresh(), "nothing was released, so there is nothing to begin anew"
        ledger.charge(price(version=first))
        assert ledger.version == first
        assert ledger.refresh()
        assert not ledger.refresh()
        assert ledger.version not in (first, V)
        assert (ledger.charges(first), ledger.charges(ledger.version)) == (1, 0)
        assert [e.kind for e in ledger.entries] == ["open", "charge", "refresh"]
    with Ledger.open(tmp_path / "ledger.jsonl", create=False) as again:
        assert again.version == ledger.version


def test_a_ledger_of_an_earlier_version_goes_on_under_its_last_name(path):
    """It named data versions by a keyed hash of the rows, of which V stands for one."""
    with Ledger.open(path, create=False) as ledger:
        assert ledger.version == V


def test_what_another_ledger_has_spent_is_taken_over_once(path, tmp_path):
    with (
        Ledger.open(path, create=False) as old,
        Ledger.open(tmp_path / "new" / "ledger.jsonl", create=True) as new,
    ):
        new.join("north", old)
        new.join("north", old)
        assert new.spent() == pytest.approx(0.2, rel=1e-12)
        old.charge(price(0.3))
        new.join("north", old)
        assert new.spent() == pytest.approx(0.5, rel=1e-12)
        new.join("south", old)
        assert new.spent() == pytest.approx(1.0, rel=1e-12)
        assert not any(e.simulated for e in new.entries)
        old.close("new")
        old.close("other")
        assert old.closed == "new"
        assert (new.closed, [e.kind for e in old.entries].count("closed")) == (None, 1)


def test_what_was_spent_without_noise_or_with_a_known_one_stays_that(tmp_path):
    for noise, rho in (("none", None), ("seeded", 0.1)):
        with (
            Ledger.open(tmp_path / noise / "ledger.jsonl", create=True, simulation=True) as old,
            Ledger.open(tmp_path / f"{noise}-2" / "ledger.jsonl", create=True) as new,
        ):
            old.charge(price(rho, noise=noise))
            new.join("old", old)
            new.join("old", old)
            assert new.spent() == (math.inf if rho is None else pytest.approx(rho))
            assert [e.simulated for e in new.entries] == [False, True]


def test_nothing_is_sent_that_was_not_charged(path):
    with (
        Ledger.open(path, create=False) as ledger,
        pytest.raises(LedgerError, match="request cccc.* never charged"),
    ):
        ledger.sent(V, P, P)


@pytest.mark.parametrize("rho", [0.0, -1.0, math.nan, math.inf])
def test_a_price_must_be_one(rho):
    with pytest.raises(ValueError, match="rho must be finite and positive"):
        Charge(V, R, 2.0, 1e-6, rho, "cosine", "system")
    with pytest.raises(ValueError, match="null exactly when noise is none"):
        Charge(V, R, 2.0, 1e-6, None, "cosine", "system")


def test_what_cannot_be_written_is_not_charged(path, monkeypatch):
    with Ledger.open(path, create=False) as ledger:
        monkeypatch.setattr(os, "write", lambda handle, content: 3)
        with pytest.raises(LedgerError, match="cannot be written, so nothing is released"):
            ledger.charge(price())
        monkeypatch.undo()
        with pytest.raises(LedgerError, match="cannot be written"):
            ledger.charge(price(version="../../etc/passwd"))
    assert len(read_ledger(path)) == 5


def test_a_simulations_ledger_is_the_same_and_waits_for_no_disk(tmp_path, monkeypatch):
    waited = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (waited.append(handle), real(handle))[1])
    texts = []
    for lasting in (True, False):
        waited.clear()
        path = tmp_path / str(lasting) / "ledger.jsonl"
        with Ledger.open(path, create=True, lasting=lasting) as ledger:
            ledger.charge(price())
        texts.append(path.read_bytes())
        assert bool(waited) is lasting
    assert texts[0] == texts[1]
