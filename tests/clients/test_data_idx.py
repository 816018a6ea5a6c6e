# SPDX-License-Identifier: Apache-2.0
"""MNIST's file format against a writer of it, and what is refused: bombs, bad headers, what does not fit."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients.data.idx import LARGEST, load
from tailweave.clients.data.silo import simulated_world
from tailweave.clients.samples import DataError
from tailweave.protocols.config.data import PublicSpec, SilosSpec
from tailweave.protocols.kinds.sources.idx import Idx
from tailweave.protocols.streams import stream

FASHION = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist has it."""
NAMES = {
    f"{part}-{what}-idx{axes}-ubyte": (part, what)
    for part in ("train", "t10k")
    for what, axes in (("images", 3), ("labels", 1))
}
COUNT = {"train": 40, "t10k": 24}


def idx(array: np.ndarray) -> bytes:
    """The format as MNIST's page describes it."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def part(name: str, what: str) -> np.ndarray:
    rng = stream(0, "idx", name, what)
    shape = (COUNT[name], 3, 5) if what == "images" else (COUNT[name],)
    return rng.integers(256 if what == "images" else 10, size=shape).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (which, what) in NAMES.items():
        (tmp_path / name).write_bytes(idx(part(which, what)))
    return tmp_path


def spec(folder: Path, **options) -> Idx:
    return Idx(source="idx", path=str(folder), **({"image": (1, 3, 5)} | options))


def test_both_parts_are_the_pixels_and_labels_in_their_order(folder):
    for rows, name in zip(load(spec(folder), seed=0), COUNT, strict=True):
        assert rows.image == (1, 3, 5)
        assert np.array_equal(rows.values * 255.0, part(name, "images").reshape(COUNT[name], 15))
        assert rows.labels.tolist() == [str(label) for label in part(name, "labels")]


def test_packed_prefixed_and_dotted_names_give_the_same(folder, tmp_path):
    other = tmp_path / "emnist"
    other.mkdir()
    for name in NAMES:
        renamed = name.replace("t10k", "test").replace("-idx", ".idx")
        (other / f"emnist-letters-{renamed}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    pairs = zip(load(spec(folder), seed=0), load(spec(other, prefix="emnist-letters-"), seed=0), strict=True)
    for plain, packed in pairs:
        assert np.array_equal(plain.values, packed.values)
        assert np.array_equal(plain.labels, packed.labels)


def test_a_share_is_drawn_by_the_seed_and_keeps_the_order(folder):
    whole, _ = load(spec(folder), seed=0)
    some, test = load(spec(folder, rows=20, evaluation_rows=22), seed=1)
    assert (len(some), len(test)) == (20, 22)
    places = [int(np.flatnonzero((whole.values == row).all(axis=1))[0]) for row in some.values]
    assert places == sorted(set(places))
    assert not np.array_equal(some.values, load(spec(folder, rows=20), seed=2)[0].values)
    with pytest.raises(DataError, match="data.rows must be at most the 40 images that there are, got 41"):
        load(spec(folder, rows=41), seed=0)


def test_the_authors_test_images_are_the_truth_of_a_simulation(folder):
    silos = SilosSpec.model_validate({"count": 2, "partition": {"kind": "iid"}})
    world = simulated_world(spec(folder), silos, PublicSpec(), seed=0)
    assert len(world.evaluation) == COUNT["t10k"]
    assert len(world.train) == COUNT["train"]


IMAGES, LABELS = idx(part("train", "images")), idx(part("train", "labels"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images", b"\x89PNG", "begins with b'.x89PNG', expected an IDX file"),
        ("images", b"\0\0", "begins with b'.x00.x00', expected an IDX file"),
        ("images", b"\0\0\x0d\3" + IMAGES[4:], "its type is float32, allowed: unsigned bytes"),
        ("images", b"\0\0\x77\3" + IMAGES[4:], r"its type is an unknown one \(0x77\)"),
        ("images", LABELS, "has 1 axes, expected 3, as a file of images has"),
        ("images", IMAGES[:9], "cut off within its header"),
        ("images", IMAGES[:-1], "has only 599 of the 600 bytes of images that its header says"),
        ("images", IMAGES + b"\0", "has more than the 600 bytes of images"),
        ("images", b"\0\0\x08\3" + struct.pack(">3I", 0, 3, 5), "has 0 bytes of images, allowed: 1 to"),
        ("images", b"\0\0\x08\3" + b"\xff" * 12, f"allowed: 1 to {LARGEST}"),
        ("images", gzip.compress(IMAGES, mtime=0)[:-12], "cut off or damaged"),
        ("images", gzip.compress(IMAGES + bytes(10**6), mtime=0), "has more than the 600 bytes of images"),
        ("images", idx(np.zeros((40, 5, 3), dtype=np.uint8)), r"shape \[1, 5, 3\], image is \[1, 3, 5\]"),
        ("labels", idx(np.zeros(39, dtype=np.uint8)), "has 39 labels, train-images-idx3-ubyte has 40 images"),
    ],
)
def test_what_is_no_such_file_is_refused_by_name(folder, name, content, message):
    path = folder / next(file for file, (which, what) in NAMES.items() if (which, what) == ("train", name))
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as refused:
        load(spec(folder), seed=0)
    assert str(refused.value).startswith(str(folder))


def test_a_bomb_is_not_unpacked_beyond_what_its_header_says(folder, monkeypatch):
    read: list[int] = []
    monkeypatch.setattr(
        gzip.GzipFile,
        "read",
        lambda file, size=-1, plain=gzip.GzipFile.read: _counted(file, size, plain, read),
    )
    (folder / "train-images-idx3-ubyte").write_bytes(gzip.compress(IMAGES + bytes(50_000_000)))
    with pytest.raises(DataError, match="has more than the 600 bytes"):
        load(spec(folder), seed=0)
    assert max(read) <= 601
    assert all(size >= 0 for size in read)


def _counted(file, size, plain, read):
    read.append(size)
    return plain(file, size)


def test_what_is_missing_is_said_with_what_is_there(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        DataError, match="no file t10k-labels-idx1-ubyte, plain or .gz; found t10k-images-idx3-ubyte, train-"
    ):
        load(spec(folder), seed=0)
    with pytest.raises(DataError, match="no-such: there is no such folder; expected one of IDX files$"):
        load(spec(folder / "no-such"), seed=0)
    with pytest.raises(DataError, match="Debian's package: dataset-no-such-set"):
        load(spec(Path("/usr/share/datasets/no-such-set")), seed=0)


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_as_debian_ships_it():
    train, test = load(Idx(source="idx", path=str(FASHION), rows=1000, evaluation_rows=500), seed=0)
    assert train.values.shape == (1000, 784)
    assert set(train.labels) == set(test.labels) == {str(label) for label in range(10)}
    assert 0.25 < train.values.mean() < 0.32  # .286 over all
