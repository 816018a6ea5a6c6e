# SPDX-License-Identifier: Apache-2.0
import pytest

from tailweave.clients.data.utf8 import read_utf8
from tailweave.clients.samples import DataError


def test_a_byte_order_mark_is_dropped_and_ends_of_lines_stay(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffä\r\nb".encode())
    assert read_utf8(tmp_path / "a.txt") == "ä\r\nb"


def test_the_line_of_the_first_wrong_byte_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\n\xff\n\xfe")
    with pytest.raises(DataError, match="a.txt, line 3: found bytes that are not UTF-8; save it as UTF-8"):
        read_utf8(tmp_path / "a.txt")
