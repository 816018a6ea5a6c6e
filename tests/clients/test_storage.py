# SPDX-License-Identifier: Apache-2.0
"""Stored arrays: whole or not there at all, never pickled, and a remedy when they cannot be read."""

import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients import storage
from tailweave.clients.storage import StorageError

ARRAYS = {"a/b": np.arange(6.0).reshape(2, 3), "names": np.array(["x", "ö"]), "none": np.zeros((0, 4))}


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "new" / "folder" / "x.npz"
    storage.save(path, ARRAYS)
    loaded = storage.load(path)
    assert loaded.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype
        assert np.array_equal(loaded[name], array)
    assert [file.name for file in path.parent.iterdir()] == ["x.npz"]


def test_same_arrays_give_the_same_bytes(tmp_path):
    storage.save(tmp_path / "one", ARRAYS)
    storage.save(tmp_path / "two", ARRAYS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def _pickled(path: Path) -> None:
    np.savez(path, anything=np.array([{"a": 1}], dtype=object))


BROKEN = {
    "missing": lambda path: None,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not an archive"),
    "truncated": lambda path: (storage.save(path, ARRAYS), path.write_bytes(path.read_bytes()[:-100])),
    "one bit flipped": lambda path: (
        storage.save(path, {"x": np.zeros(100)}),
        path.write_bytes(path.read_bytes()[:300] + b"\x01" + path.read_bytes()[301:]),
    ),
    "pickled object": _pickled,
    "a pickle": lambda path: path.write_bytes(pickle.dumps({"x": 1})),
    "one array": lambda path: np.save(path.open("wb"), np.zeros(3)),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_cannot_be_read_names_the_file_and_the_remedy(tmp_path, how):
    path = tmp_path / "x.npz"
    BROKEN[how](path)
    with pytest.raises(
        StorageError, match=rf"^{re.escape(str(path))}: cannot be read .*delete it to start again"
    ):
        storage.load(path)


def test_truncations_are_noticed(tmp_path):
    path = tmp_path / "x.npz"
    storage.save(path, {"x": np.arange(4.0)})
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(StorageError):
            storage.load(path)


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        storage.save(tmp_path / "x.npz", {"x": np.array([{"a": 1}], dtype=object)})
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.npz"
    storage.save(path, {"x": np.zeros(2)})
    with pytest.raises(ValueError, match="allow_pickle"):
        storage.save(path, {"x": np.array([None])})
    assert np.array_equal(storage.load(path)["x"], np.zeros(2))


WRITER = """
import itertools, sys
from pathlib import Path
import numpy as np
from tailweave.clients import storage
for turn in itertools.count():
    storage.save(Path(sys.argv[1]), {"x": np.full(100_000, float(turn)), "y": np.full(9, float(turn))})
    print(turn, flush=True)
"""


@pytest.mark.parametrize("pause", [0.0, 0.013, 0.037])
def test_a_killed_writer_leaves_one_whole_file(tmp_path, pause):
    path = tmp_path / "x.npz"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    writer.stdout.readline()
    time.sleep(pause)
    writer.send_signal(signal.SIGKILL)
    done = [0, *(int(line) for line in writer.communicate()[0].split("\n")[:-1])][-1]
    stored = storage.load(path)
    turns = set(stored["x"]) | set(stored["y"])
    assert turns <= {float(done), float(done + 1)}
    assert len(turns) == 1
