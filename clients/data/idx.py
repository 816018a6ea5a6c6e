# SPDX-License-Identifier: Apache-2.0
"""MNIST's own file format, IDX: a header of big-endian sizes, then one byte a pixel or a label."""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.some_rows import some_rows
from tailweave.clients.samples import DataError, Images, Samples, unnamed
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.base import ImageShape
from tailweave.protocols.kinds.sources.idx import Idx

Bytes = NDArray[np.uint8]
TRAIN, TEST = ("train",), ("t10k", "test")
"""How the authors' files of each part are called; EMNIST's say ``test``."""
LARGEST = 2**30
"""Bytes that a file may unpack to; the largest of EMNIST has 547 million."""
_AXES = {"images": 3, "labels": 1}
_UNSIGNED_BYTES = 0x08
_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_GZIP = b"\x1f\x8b"
_WHITE = 255.0
_DEBIAN = Path("/usr/share/datasets")


def read_idx(path: Path, what: str) -> Bytes:
    """Read one file, plain or packed by gzip, whatever its name ends in.

    Args:
        path: The file.
        what: ``images``, of shape (n, height, width), or ``labels``, of shape (n,).

    Returns:
        The bytes in their shape.

    Raises:
        DataError: If the file is missing, cut off, longer than its header says, would unpack to more than
            ``LARGEST`` bytes, or is of another type or shape.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == _GZIP
            plain.seek(0)
            if not packed:
                return _array(plain, path, what)
            with gzip.GzipFile(fileobj=plain) as file:
                return _array(cast(BinaryIO, file), path, what)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: cut off or damaged: {error}; expected an IDX file packed by gzip") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def idx_samples(images: Bytes, labels: Bytes | None, image: ImageShape, path: Path) -> Samples:
    """Return images as samples.

    Args:
        images: Shape (n, height, width).
        labels: Shape (n,), or None where there are none.
        image: The shape that is wanted.
        path: Where the images come from, for the message.

    Returns:
        Pixels in [0, 1], row by row; labels are the numbers as text.

    Raises:
        DataError: If the images have another shape.
    """
    if (1, *images.shape[1:]) != image:
        raise DataError(f"{path}: found images of shape {[1, *images.shape[1:]]}, image is {list(image)}")
    values = images.reshape(len(images), math.prod(image)).astype(np.float64)
    values /= _WHITE
    texts = None if labels is None else labels.astype(np.str_)
    return Samples.of(values, texts, Images(unnamed(values.shape[1]), shape=image))


def _array(file: BinaryIO, path: Path, what: str) -> Bytes:
    axes = _AXES[what]
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise DataError(f"{path}: begins with {head!r}, expected an IDX file: two zero bytes, type, axes")
    if head[2] != _UNSIGNED_BYTES:
        found = _TYPES.get(head[2], f"an unknown one ({head[2]:#04x})")
        raise DataError(f"{path}: its type is {found}, allowed: unsigned bytes, as in MNIST")
    if head[3] != axes:
        raise DataError(f"{path}: has {head[3]} axes, expected {axes}, as a file of {what} has")
    raw = file.read(4 * axes)
    if len(raw) < 4 * axes:
        raise DataError(f"{path}: cut off within its header")
    shape = struct.unpack(f">{axes}I", raw)
    size = math.prod(shape)
    if not 0 < size <= LARGEST:
        raise DataError(f"{path}: says that it has {size} bytes of {what}, allowed: 1 to {LARGEST}")
    content = file.read(size + 1)  # of what is packed, never more than that is unpacked
    if len(content) != size:
        more = "more than" if len(content) > size else f"only {len(content)} of"
        raise DataError(f"{path}: has {more} the {size} bytes of {what} that its header says")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _file(folder: Path, prefix: str, part: tuple[str, ...], what: str) -> Path:
    """Find a file by its usual names: a point for a dash, as some unpack it, and packed or not."""
    places = [
        folder / f"{prefix}{name}-{what}{mark}idx{_AXES[what]}-ubyte{packed}"
        for name in part
        for mark in "-."
        for packed in ("", ".gz")
    ]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataError(f"{folder}: there is no file {places[0].name}, plain or .gz; found {_others(folder)}")
    return found


def _others(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if "-ubyte" in entry.name)
    return ", ".join(names[:8]) or "no file of this kind"


def _part(spec: Idx, part: tuple[str, ...], wanted: int | None, key: str, seed: int) -> Samples:
    folder = Path(spec.path)
    places = [_file(folder, spec.prefix, part, what) for what in _AXES]
    images, labels = (read_idx(place, what) for place, what in zip(places, _AXES, strict=True))
    if len(images) != len(labels):
        raise DataError(f"{places[1]}: has {len(labels)} labels, {places[0].name} has {len(images)} images")
    chosen = some_rows(len(images), wanted, key, seed)  # before a byte becomes a double
    return idx_samples(images[chosen], labels[chosen], spec.image, places[0])


@implements(Idx)
def load(spec: Idx, *, seed: int) -> tuple[Samples, Samples]:
    """Read the training images and the test images, or a random share of each.

    Raises:
        DataError: If there is no such folder, or a file is missing or is no such file.
    """
    folder = Path(spec.path)
    if not folder.is_dir():
        debian = f"; Debian's package: dataset-{folder.name}" if folder.parent == _DEBIAN else ""
        raise DataError(f"{folder}: there is no such folder; expected one of IDX files{debian}")
    train = _part(spec, TRAIN, spec.rows, "rows", seed)
    return train, _part(spec, TEST, spec.evaluation_rows, "evaluation-rows", seed)
