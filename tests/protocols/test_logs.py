# SPDX-License-Identifier: Apache-2.0
"""Log lines: JSON of known fields only, nothing where none was asked for."""

import json
import logging
from datetime import datetime

import pytest

from tailweave.protocols.logs import Fields, Log, close_log, log_file, open_log


@pytest.fixture(autouse=True)
def closed():
    yield
    close_log()
    logging.getLogger("tailweave.log").setLevel(logging.NOTSET)


def test_a_line_is_json_with_time_level_part_run_and_event(capsys):
    open_log("json")
    open_log("json")  # server and nodes of one process both open it
    Log("node", "r-1").warning("refused", Fields(silo="north", arm=None), reason='a\n"b" ü', seconds=0.25)
    (line,) = capsys.readouterr().err.splitlines()
    said = json.loads(line)
    assert datetime.fromisoformat(said.pop("time")).utcoffset().total_seconds() == 0
    assert list(said.items()) == [
        ("level", "warning"),
        ("part", "node"),
        ("run", "r-1"),
        ("event", "refused"),
        ("silo", "north"),
        ("reason", 'a\n"b" ü'),
        ("seconds", 0.25),
    ]
    assert line.isascii()


@pytest.mark.parametrize("log_format", ["", "plain"])
def test_nothing_is_printed_unless_asked_for(capsys, log_format, tmp_path):
    open_log(log_format)
    with log_file(tmp_path, log_format):
        Log("server", "r").warning("resumed")
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_lines_are_kept_in_a_file_for_as_long_as_it_is_open(tmp_path, capsys):
    for _ in range(2):  # a resumed run appends
        with log_file(tmp_path, "json"):
            Log("server", "r").info("asked", bytes=3)
    Log("server", "r").info("answered")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["event"], line["bytes"]) for line in lines] == [("asked", 3)] * 2
    assert capsys.readouterr() == ("", "")


def test_what_is_no_field_cannot_be_said(capsys):
    open_log("json")
    with pytest.raises(ValueError, match="a log line has no field norm, row"):
        Log("node", "r").info("asked", **{"row": [1.0], "norm": 3.2})
    assert capsys.readouterr().err == ""


def test_a_traceback_and_other_loggers_are_left_out(capsys):
    open_log("json")
    try:
        raise ValueError("cell 4711")
    except ValueError:
        logging.getLogger("tailweave.log").error("cell %s", 4711, exc_info=True)
    assert "4711" not in capsys.readouterr().err


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="log-format must be one of plain, json, got 'xml'"):
        open_log("xml")
