# SPDX-License-Identifier: Apache-2.0
"""A file is replaced whole or not at all, with the mode that was asked for from its first byte on."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from tailweave.protocols import whole_file
from tailweave.protocols.whole_file import write_whole


@pytest.mark.parametrize(
    ("content", "found"), [(b"\r\n\0", b"\r\n\0"), (memoryview(b"ab"), b"ab"), ("é\r\n", b"\xc3\xa9\r\n")]
)
def test_bytes_and_text_are_written_as_they_are(tmp_path, content, found):
    path = tmp_path / "file"
    path.write_bytes(b"something longer than that")
    write_whole(path, content)
    assert path.read_bytes() == found
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("umask", "mode", "found"),
    [(0o022, None, 0o644), (0o077, None, 0o600), (0o022, 0o600, 0o600), (0o077, 0o644, 0o644)],
)
def test_the_mode_is_the_one_asked_for_whatever_the_old_file_had(tmp_path, umask, mode, found):
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o777)
    before = os.umask(umask)
    try:
        write_whole(path, b"", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == found


@pytest.mark.parametrize("step", ["open", "fchmod", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_text("old")

    def fails(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(whole_file.os, step, fails)
    with pytest.raises(OSError, match="no room"):
        write_whole(path, "new", mode=0o600)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_disk_has_the_bytes_before_they_take_the_name(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            whole_file.os, name, lambda *a, real=real, name=name: (done.append(name), real(*a))[1]
        )
    write_whole(tmp_path / "file", "new")
    assert done == ["fsync", "replace", "fsync"]  # at last the folder: a new name is the disk's too
    done.clear()
    write_whole(tmp_path / "file", "newer", lasting=False)
    assert done == ["replace"]


def test_writers_at_once_never_stand_in_each_others_way(tmp_path):
    """Threads have one process number, and so have first processes of two containers on one volume."""
    texts = [str(n) * 5000 for n in range(4)]

    def write(text: str) -> None:
        for _ in range(50):
            write_whole(tmp_path / "file", text, lasting=False)
            assert (tmp_path / "file").read_text() in texts

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, texts))
    assert os.listdir(tmp_path) == ["file"]


def test_nothing_that_stands_in_the_way_is_written_through(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    monkeypatch.setattr(whole_file.secrets, "token_hex", lambda count: "known")
    (tmp_path / ".file.known.part").symlink_to(elsewhere)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file", "new")
    assert elsewhere.read_text() == "mine"
