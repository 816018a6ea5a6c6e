# SPDX-License-Identifier: Apache-2.0
"""What is written is read back by our own readers, has the same bytes twice, and is whole or not there."""

import numpy as np
import pytest

from tailweave.clients.data.image_folder import read_image_folder
from tailweave.clients.data.jsonl import read_jsonl
from tailweave.clients.data.npz_table import read_npz, read_npz_images
from tailweave.clients.data.scaling import standardized
from tailweave.clients.data.tables import read_table
from tailweave.clients.data.text_folder import load as read_texts
from tailweave.clients.data.written import WRITERS, write_samples
from tailweave.clients.samples import TEXT, DataError, Images, Numbers, Samples, unnamed
from tailweave.protocols.kinds.sources.image_folder import ImageFolder
from tailweave.protocols.kinds.sources.text_folder import TextFolder
from tailweave.protocols.streams import stream

ROWS = stream(0, "written").normal(size=(12, 3)) * [1.0, 1e-6, 1e9] + [5.0, 0.0, -1e9]
LABELS = np.array(["a", "b", "b, c"] * 4)


def table() -> Samples:
    """A standardized one, whose own units are other than its values."""
    return standardized(Samples.of(ROWS, LABELS, Numbers(("length", "µ", 'a "b"'))))


def images() -> Samples:
    return Samples.of(np.arange(36).reshape(2, 18) / 35, ["cat", "dog"], Images(unnamed(18), shape=(3, 2, 3)))


def texts() -> Samples:
    return Samples.of(["one\nor two", 'größe, "x"', "three", "4 5"], ["a", "a", "b", "b"], TEXT)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".feather"])
def test_a_table_comes_back_in_its_own_units(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    write_samples(table(), path, "kind")
    back = read_table(path, "kind")
    np.testing.assert_allclose(back.values, ROWS, rtol=1e-12, atol=1e-15)  # scaled and back: two roundings
    assert (back.columns, back.labels.tolist()) == (table().columns, LABELS.tolist())


def test_npz_come_back(tmp_path):
    write_samples(table(), tmp_path / "x.npz", "y")
    np.testing.assert_allclose(read_npz(tmp_path / "x.npz", None).values, ROWS, rtol=1e-12, atol=1e-15)
    write_samples(images(), tmp_path / "i.npz", "y")
    back = read_npz_images(tmp_path / "i.npz", None, (3, 2, 3))
    assert (back.values == images().values).all()
    assert back.labels.tolist() == ["cat", "dog"]


def test_folders_come_back_by_class(tmp_path):
    write_samples(images(), tmp_path / "i", "y")
    spec = ImageFolder(source="image-folder", path=str(tmp_path / "i"), image=(3, 2, 3))
    back = read_image_folder(spec)
    assert np.abs(back.values - images().values).max() <= 0.5 / 255 + 1e-12
    assert back.labels.tolist() == ["cat", "dog"]
    write_samples(texts(), tmp_path / "t", "y")
    found = read_texts(TextFolder(source="text-folder", path=str(tmp_path / "t")), seed=0)
    assert found.values.tolist() == texts().values.tolist()
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_documents_come_back_from_lines(tmp_path):
    write_samples(texts(), tmp_path / "t.jsonl", "group")
    found = read_jsonl(tmp_path / "t.jsonl", group="group")
    assert [one.text for one in found] == texts().values.tolist()
    assert [one.label for one in found] == ["a", "a", "b", "b"]


@pytest.mark.parametrize("ending", WRITERS)
def test_equal_samples_give_equal_bytes(tmp_path, ending):
    for name in ("a", "b"):
        write_samples(table(), tmp_path / f"{name}{ending}", "kind")
    assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()


@pytest.mark.parametrize(
    ("samples", "name", "label", "message"),
    [
        (table, "x", "kind", "a table of 3 columns is written as one file, not as a folder"),
        (table, "x.csv", "length", "a column is called 'length' as the labels are"),
        (table, "x.npz", "file", "an NPZ cannot call its labels 'file'"),
        (texts, "x.npz", "kind", "documents are written as .jsonl"),
        (table, "x.xlsx", "kind", r"the name must end in \.csv, .* found \.xlsx"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, samples, name, label, message):
    with pytest.raises(ValueError, match=message):
        write_samples(samples(), tmp_path / name, label)
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_is_no_name_of_a_folder_is_refused(tmp_path):
    bad = Samples.of(["one", "two"], ["a", "../b"], TEXT)
    with pytest.raises(DataError, match="label '../b' cannot name a folder"):
        write_samples(bad, tmp_path / "t", "y")
    assert list(tmp_path.iterdir()) == []
