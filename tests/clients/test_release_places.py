# SPDX-License-Identifier: Apache-2.0
"""A place is where its links lead; its stamp changes with what lies there and how it is read."""

import os
from pathlib import Path

import pytest

from tailweave.clients.release import places
from tailweave.clients.release.places import default_ledgers, place_of


def test_links_lead_to_one_place(tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "rows.csv")
    assert place_of(tmp_path / "link.csv", "") == place_of(tmp_path / "rows.csv", "")


def test_the_stamp_sees_every_change_of_a_file_and_of_a_folder(tmp_path):
    file, folder = tmp_path / "rows.csv", tmp_path / "images" / "cat"
    folder.mkdir(parents=True)
    file.write_text("a\n1\n")
    (folder / "a.png").write_bytes(b"one")
    seen = {place_of(file, "").stamp, place_of(file, "label").stamp, place_of(folder.parent, "").stamp}
    file.write_text("a\n1\n2\n")
    seen.add(place_of(file, "").stamp)
    os.utime(file, ns=(0, 1))
    seen.add(place_of(file, "").stamp)
    (folder / "b.png").write_bytes(b"two")
    seen.add(place_of(folder.parent, "").stamp)
    (folder / "b.png").rename(folder / "c.png")
    seen.add(place_of(folder.parent, "").stamp)
    assert len(seen) == 7
    assert place_of(file, "") == place_of(file, "")
    with pytest.raises(OSError, match="gone"):
        place_of(tmp_path / "gone", "")


def test_the_same_path_in_another_folder_is_another_place(tmp_path):
    """As in two containers, where a kit's folder has one path and two inodes."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/rows.csv").write_text("a\n1\n")
    first = place_of(tmp_path / "kit/rows.csv", "")
    (tmp_path / "kit").rename(tmp_path / "old")
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit/rows.csv").write_text("a\n1\n")
    second = place_of(tmp_path / "kit/rows.csv", "")
    assert (first.path, first.folder != second.folder) == (second.path, True)


def test_ledgers_lie_where_the_environment_or_the_users_rights_say(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILWEAVE_LEDGERS", "/a/b")
    assert default_ledgers() == Path("/a/b")
    monkeypatch.setenv("TAILWEAVE_LEDGERS", "a/b")
    with pytest.raises(ValueError, match="TAILWEAVE_LEDGERS must be an absolute path, got 'a/b'"):
        default_ledgers()
    monkeypatch.delenv("TAILWEAVE_LEDGERS")
    monkeypatch.setattr(places, "SYSTEM_LEDGERS", tmp_path / "var/ledgers")
    assert default_ledgers() == tmp_path / "var/ledgers"
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert default_ledgers() == Path("/x/tailweave/ledgers")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert default_ledgers() == Path("/h/.local/state/tailweave/ledgers")
