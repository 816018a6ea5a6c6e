# SPDX-License-Identifier: Apache-2.0
"""Reading is strict but for a torn last line; writing is all or nothing."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.simulation.run_folder import RunFolder, RunFolderError, read_rows, write_json


def test_rows_come_back_in_order(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": [2.5]}\n')
    assert read_rows(path) == [{"a": 1}, {"b": [2.5]}]


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.dictionaries(st.text(max_size=3), st.integers()), max_size=4), data=st.data())
def test_a_file_cut_off_anywhere_gives_its_whole_lines(tmp_path_factory, rows, data):
    path = tmp_path_factory.mktemp("cut") / "rows.jsonl"
    lines = [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows]
    cut = data.draw(st.integers(0, sum(map(len, lines))))
    path.write_bytes(b"".join(lines)[:cut])
    ends = np.cumsum([len(line) - 1 for line in lines] if lines else [], dtype=int)
    whole = sum(
        int(end) + index <= cut for index, end in enumerate(ends)
    )  # a line is whole at its last brace
    assert read_rows(path) == rows[:whole]


@pytest.mark.parametrize("broken", [b'{"a": 1', b"[1]", b'{"a": NaN}', b'{"a": -Infinity}', b"", b"\xff"])
def test_any_other_broken_line_stops_with_file_and_line(tmp_path, broken):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"a": 1}\n' + broken + b'\n{"a": 2}\n')
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl: line 2 "):
        read_rows(path)


def test_a_broken_last_line_that_has_its_newline_is_not_torn(tmp_path):
    path = tmp_path / "wire.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a"\n')
    with pytest.raises(ValueError, match="line 2 is not a JSON object"):
        read_rows(path)


def test_json_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "summary.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_bytes() == '{\n "b": 1,\n "a": "é"\n}\n'.encode()
    write_json(path, {"b": 2})
    assert json.loads(path.read_text()) == {"b": 2}
    assert os.listdir(tmp_path) == ["summary.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_refused_and_the_old_file_stays(tmp_path, value):
    path = tmp_path / "summary.json"
    write_json(path, {"kept": 1})
    with pytest.raises(ValueError, match=r"summary\.json must hold finite numbers only"):
        write_json(path, {"a": [value]})
    assert json.loads(path.read_text()) == {"kept": 1}
    assert os.listdir(tmp_path) == ["summary.json"]


def test_a_failed_write_leaves_no_scratch_file(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    write_json(tmp_path / "a.json", 1)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_json(tmp_path / "a.json", 2)
    assert os.listdir(tmp_path) == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == 1


def test_all_readers_read(run_folder, config):
    assert len(run_folder.metrics()) == 4 * 2 * 3 * 7
    assert {row["kind"] for row in run_folder.wire()} == {"hello", "summarise", "retrain"}
    assert run_folder.events()[0]["silo"] == "silo-2"
    assert run_folder.config() == config
    assert run_folder.environment()["hardware"]["cores"] == 2
    assert run_folder.maps()["siloed/6/selected"].shape == (100, 2)


def test_what_may_be_absent_may_be_absent(run_folder):
    (run_folder.path / "events.jsonl").unlink()
    (run_folder.path / "maps.npz").unlink()
    assert run_folder.events() == []
    assert run_folder.maps() == {}


def test_every_missing_file_is_named_at_once(run_folder):
    (run_folder.path / "metrics.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"run is not a finished run folder: metrics\.jsonl is missing;"):
        run_folder.config()
    (run_folder.path / "wire.jsonl").unlink()
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl, wire\.jsonl are missing;"):
        run_folder.maps()
    with pytest.raises(RunFolderError, match=r"config\.yaml, environment\.json, .* are missing"):
        RunFolder(run_folder.path / "nowhere").metrics()


@pytest.mark.parametrize(
    ("name", "content", "reader", "match"),
    [
        ("config.yaml", b"- a\n", "config", r"config\.yaml must be a mapping, got list"),
        ("config.yaml", b"a: [\n", "config", r"config\.yaml: not valid YAML"),
        ("environment.json", b"{", "environment", r"environment\.json is not JSON"),
        ("environment.json", b"3", "environment", r"environment\.json must be a mapping, got int"),
        ("maps.npz", b"no zip", "maps", r"maps\.npz is not an NPZ"),
    ],
)
def test_a_broken_file_is_named(run_folder, name, content, reader, match):
    (run_folder.path / name).write_bytes(content)
    with pytest.raises(RunFolderError, match=match):
        getattr(run_folder, reader)()


def test_pickled_maps_are_never_loaded(run_folder):
    np.savez(run_folder.path / "maps.npz", truth_xy=np.array([{"code": 1}], dtype=object))
    with pytest.raises(RunFolderError, match="plain arrays"):
        run_folder.maps()
