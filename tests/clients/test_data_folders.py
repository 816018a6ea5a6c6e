# SPDX-License-Identifier: Apache-2.0
import pytest

from tailweave.clients.data.folders import files_by_class
from tailweave.clients.samples import DataError


def listed(folder):
    return files_by_class(folder, (".txt",), "documents")


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_sub_folders_are_classes_in_the_order_of_names(tmp_path):
    touch(tmp_path, "b/2.txt", "a/9.TXT", "b/1.txt", ".git/x", "a/.hidden")
    files, labels = listed(tmp_path)
    assert [path.name for path in files] == ["9.TXT", "1.txt", "2.txt"]
    assert labels == ["a", "b", "b"]


def test_a_flat_folder_has_no_classes(tmp_path):
    touch(tmp_path, "b.txt", "a.txt")
    assert listed(tmp_path) == ([tmp_path / "a.txt", tmp_path / "b.txt"], None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a/1.txt", "2.txt"), r"found sub-folders \(a\) beside files \(2.txt\); allowed: documents only"),
        (("a.pdf",), r"a.pdf: found .pdf, allowed: .txt"),
        (("a",), "a: found no ending, allowed: .txt"),
        (("a/b/c.txt",), r"b: found a folder in a class's folder; allowed: documents \(.txt\)"),
    ],
)
def test_what_does_not_belong_is_named(tmp_path, names, message):
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=message):
        listed(tmp_path)
