# SPDX-License-Identifier: Apache-2.0
"""Parquet files and images that are small on the disk and large in memory: refused by what they say first."""

import gzip
import struct
import zlib

import numpy as np
import pyarrow as arrow
import pytest
from PIL import Image, ImageFile
from pyarrow import parquet

from tailweave.clients.data import image_folder
from tailweave.clients.data.image_folder import MOST_PIXELS, read_image_folder
from tailweave.clients.data.tables import read_table
from tailweave.clients.samples import DataError
from tailweave.protocols.kinds.sources.image_folder import ImageFolder


@pytest.fixture
def never_read(monkeypatch):
    """Fail the test if a value or a pixel is unpacked."""

    def unpacked(*given, **named):
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(parquet.ParquetFile, "read", unpacked)
    monkeypatch.setattr(ImageFile.ImageFile, "load", unpacked)


def test_a_billion_equal_numbers_in_a_few_kib(tmp_path, never_read):
    path = tmp_path / "t.parquet"
    column = arrow.array(np.zeros(2**20))
    with parquet.ParquetWriter(path, arrow.schema({"a": arrow.float64()})) as writer:
        for _ in range(9):  # 72 MiB
            writer.write_table(arrow.table({"a": column}))
    assert path.stat().st_size < 2**16
    with pytest.raises(
        DataError, match=r"t\.parquet: found 9437184 rows of 1 columns, .* 1000 times the file"
    ):
        read_table(path, None)


def test_columns_that_hold_columns_are_not_read_at_all(tmp_path, never_read):
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"a": [1.0], "list": [[1.0]]}), path)
    with pytest.raises(DataError, match="column 'list': found labels of list"):
        read_table(path, "list")


def test_text_is_counted_before_it_is_written_out(tmp_path):
    """A dictionary keeps a text once: here 2,000 rows of a page each are 200 MB in a few KiB."""
    path = tmp_path / "t.parquet"
    texts = arrow.DictionaryArray.from_arrays(np.zeros(2000, np.int32), ["x" * 100_000])
    parquet.write_table(arrow.table({"a": np.arange(2000.0), "text": texts}), path)
    with pytest.raises(DataError, match=r"t\.parquet: found text of 200000000 bytes, .* 1000 times the file"):
        read_table(path, None)


def test_a_csv_of_a_few_kib_that_unpacks_to_a_hundred_mb(tmp_path):
    path = tmp_path / "t.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"a\n")
        for _ in range(100):
            file.write(b"0\n" * 2**19)
    with pytest.raises(DataError, match=r"t\.csv\.gz: cannot be read: .* bytes unpack to"):
        read_table(path, None)


def test_a_label_as_long_as_a_book_is_not_repeated_for_each_row(tmp_path):
    path = tmp_path / "t.parquet"
    labels = arrow.DictionaryArray.from_arrays(np.arange(1000) % 2, ["x" * 100_000, "y"])
    parquet.write_table(arrow.table({"a": np.arange(1000.0), "k": labels}), path)
    with pytest.raises(DataError, match="column 'k': found a label of 100000 bytes, allowed: at most 800"):
        read_table(path, "k")


def test_flags_that_are_rarely_set_are_read(tmp_path):
    path = tmp_path / "t.parquet"
    flags = np.random.default_rng(0).random((100_000, 10)) < 0.01
    parquet.write_table(arrow.table({f"f{i}": flags[:, i] for i in range(10)}), path)
    assert np.array_equal(read_table(path, None).values, flags)


def png(width: int, height: int, content: bytes = b"") -> bytes:
    """Write a grey PNG whose head says what it likes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(content)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("resize", ["refuse", "crop", "stretch"])
@pytest.mark.parametrize("side", [8_200, 10_000, 60_000])
def test_pixels_are_counted_before_they_are_unpacked(tmp_path, never_read, resize, side):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(side, side))
    spec = ImageFolder(source="image-folder", path=str(tmp_path), image=(1, 8, 8), resize=resize)
    said = f"{side} x {side} pixels, (image wants 8 x 8|allowed: at most {MOST_PIXELS})|allowed: at most"
    with pytest.raises(DataError, match=rf"a\.png: .*({said})"):
        read_image_folder(spec)


@pytest.mark.parametrize("kind", ["EPS", "GIF", "PDF", "ICNS"])
def test_a_file_is_opened_as_what_its_ending_may_stand_for_only(tmp_path, kind):
    """Pillow would go by the content: of PostScript that means to start Ghostscript on it."""
    image = Image.fromarray(np.zeros((32, 32), np.uint8)).convert("RGB")
    for name in ("a.png", "b.png"):
        image.save(tmp_path / name, format=kind)
    with pytest.raises(DataError, match=r"a\.png: cut off or no image"):
        read_image_folder(ImageFolder(source="image-folder", path=str(tmp_path), image=(3, 32, 32)))


def test_every_ending_is_still_read(tmp_path):
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    for ending in image_folder.ENDINGS:
        image.save(tmp_path / f"a{ending}")
    spec = ImageFolder(source="image-folder", path=str(tmp_path), image=(1, 8, 8))
    assert len(read_image_folder(spec)) == len(image_folder.ENDINGS)
