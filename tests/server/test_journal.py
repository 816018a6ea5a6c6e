# SPDX-License-Identifier: Apache-2.0
"""The journal: append-only, replayed byte for byte, and never half a line."""

import json
import threading
import time

import pytest

from tailweave.server.journal import Journal, JournalError

ROWS = [{"a": 1, "b": 0.1}, {"a": 2, "b": 1e-300}, {"a": 3, "b": -0.0}]


def write(path, rows) -> None:
    journal = Journal(path)
    for row in rows:
        journal.append(row)
    journal.close()


def test_rows_are_json_lines_in_order(tmp_path):
    write(tmp_path / "j", ROWS)
    assert [json.loads(line) for line in (tmp_path / "j").read_text().splitlines()] == ROWS


def test_a_row_is_on_disk_as_soon_as_it_is_appended(tmp_path):
    journal = Journal(tmp_path / "j")
    journal.append(ROWS[0])
    assert (tmp_path / "j").read_bytes().endswith(b"}\n")
    journal.close()


def test_nothing_appended_is_an_empty_file(tmp_path):
    write(tmp_path / "j", [])
    assert (tmp_path / "j").read_bytes() == b""


@pytest.mark.parametrize("interrupted", range(4))
def test_a_replay_adds_only_what_is_new(tmp_path, interrupted):
    write(tmp_path / "whole", ROWS)
    write(tmp_path / "j", ROWS[:interrupted])
    write(tmp_path / "j", ROWS)
    assert (tmp_path / "j").read_bytes() == (tmp_path / "whole").read_bytes()


def test_every_torn_file_is_mended(tmp_path):
    write(tmp_path / "whole", ROWS)
    whole = (tmp_path / "whole").read_bytes()
    for length in range(len(whole) + 1):
        (tmp_path / "j").write_bytes(whole[:length])
        write(tmp_path / "j", ROWS)
        assert (tmp_path / "j").read_bytes() == whole


def test_a_torn_character_is_mended(tmp_path):
    path = tmp_path / "j"
    path.write_bytes('{"a": "größe"}\n{"a": "grö'.encode()[:-1])
    write(path, [{"a": "größe"}, {"a": "größer"}])
    assert path.read_text(encoding="utf-8").split("\n")[:-1] == ['{"a": "größe"}', '{"a": "größer"}']


def test_a_replay_that_differs_is_refused_and_writes_nothing(tmp_path):
    write(tmp_path / "j", ROWS)
    before = (tmp_path / "j").read_bytes()
    journal = Journal(tmp_path / "j")
    journal.append(ROWS[0])
    with pytest.raises(JournalError, match=r"j: line 2 differs from what the interrupted run recorded"):
        journal.append({"a": 2, "b": 2e-300})
    assert (tmp_path / "j").read_bytes() == before


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\n"])
def test_what_only_looks_like_a_line_end_stays_inside_its_row(tmp_path, odd):
    rows = [{"label": f"a{odd}b"}, {"label": "c"}]
    write(tmp_path / "j", rows[:1])
    write(tmp_path / "j", rows)
    lines = (tmp_path / "j").read_bytes().decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(tmp_path, value):
    journal = Journal(tmp_path / "j")
    with pytest.raises(ValueError, match="not JSON compliant"):
        journal.append({"a": value})
    assert (tmp_path / "j").read_bytes() == b""


def test_a_second_writer_is_refused_while_the_first_is_at_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tailweave.server.journal._PATIENCE_SECONDS", 0.2)
    first = Journal(tmp_path / "j")
    with pytest.raises(JournalError, match="j: another process writes it; is this run still going on"):
        Journal(tmp_path / "j")
    first.append(ROWS[0])
    first.close()
    assert (tmp_path / "j").read_text().count("\n") == 1


def test_a_writer_that_ends_is_waited_for_and_its_last_line_seen(tmp_path):
    first = Journal(tmp_path / "j")

    def leave() -> None:
        time.sleep(0.3)
        first.append(ROWS[0])
        first.close()

    threading.Thread(target=leave).start()
    second = Journal(tmp_path / "j")
    second.append(ROWS[0])  # what is recorded already must be repeated
    second.append(ROWS[1])
    second.close()
    assert (tmp_path / "j").read_text().count("\n") == 2


def test_unordered_lines_are_written_once_whatever_their_order(tmp_path):
    for rows in (ROWS[:2], [ROWS[2], ROWS[1]], [ROWS[0], ROWS[0]]):
        journal = Journal(tmp_path / "j", ordered=False)
        for row in rows:
            journal.append(row)
        journal.close()
    found = [json.loads(line) for line in (tmp_path / "j").read_text().splitlines()]
    assert found == [*ROWS, ROWS[0]]


def test_it_says_whether_something_was_recorded_before(tmp_path):
    write(tmp_path / "j", [])
    for rows, before in ((ROWS, False), ([], True)):
        journal = Journal(tmp_path / "j")
        assert journal.resumed is before
        for row in rows:
            journal.append(row)
        journal.close()
