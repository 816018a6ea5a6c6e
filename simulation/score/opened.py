# SPDX-License-Identifier: Apache-2.0
"""One side of a score, however it is given: a file, a folder, a data frame, an array, samples."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.data.documents import read_documents
from tailweave.clients.data.frames import frame_table, is_frame
from tailweave.clients.data.hashed_text import as_hashed_words
from tailweave.clients.data.image_folder import ENDINGS, read_image_folder
from tailweave.clients.data.jsonl import read_jsonl
from tailweave.clients.data.npz_table import read_npz, read_npz_images
from tailweave.clients.data.raw_table import read_raw
from tailweave.clients.samples import DataError, Images, Samples, unnamed
from tailweave.protocols.arrays import matrix
from tailweave.protocols.kinds.sources.image_folder import ImageFolder
from tailweave.protocols.npz import NpzError, open_npz

if TYPE_CHECKING:
    import pyarrow

    from tailweave.simulation.score.columns import Declared

WORDS = 256
"""Columns that the words of documents are hashed to: documents are compared by these."""


def opened(given: object, called: str, declared: "Declared", label: str | None) -> "Samples | pyarrow.Table":
    """Return one side: a table as it stands in its file, or samples where there are no columns to declare.

    Args:
        given: A path; samples; a data frame of any library; an array (n, p) or (n, c, h, w).
        called: ``real`` or ``synthetic``, for messages.
        declared: How a CSV is written.
        label: What the labels are called.

    Raises:
        ValueError: If it cannot be read, or is nothing of these.
    """
    if isinstance(given, Samples):
        return given
    if isinstance(given, str | PathLike):
        return _read(Path(given).expanduser(), declared, label)
    if is_frame(given):
        return frame_table(given, called)
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{called} must be a path, samples, a data frame or an array of numbers, got "
            f"{type(given).__name__}: {error}"
        ) from None
    if array.ndim != 4:
        return Samples.of(matrix(array, called))
    rows = matrix(array.reshape(len(array), -1), called)
    return Samples.of(rows, sort=Images(unnamed(rows.shape[1]), shape=array.shape[1:]))


def _read(path: Path, declared: "Declared", label: str | None) -> "Samples | pyarrow.Table":
    name = path.name.lower()
    if path.is_dir():
        return _folder(path)
    reader = next((read for ending, read in _READERS.items() if name.endswith(ending)), None)
    if reader is not None:
        return reader(path, label)
    return read_raw(path, delimiter=declared.delimiter, decimal=declared.decimal)


def _npz(path: Path, label: str | None) -> Samples:
    try:
        with open_npz(path) as archive:
            shape = archive.read("x").shape if "x" in archive.members else ()
    except (OSError, NpzError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if len(shape) == 4 and shape[1] in (1, 3):
        return read_npz_images(path, label, (shape[1], shape[2], shape[3]))
    return read_npz(path, label)


def _jsonl(path: Path, label: str | None) -> Samples:
    return as_hashed_words(read_jsonl(path, group=label), WORDS)


_READERS: dict[str, Callable[[Path, str | None], Samples]] = {
    ".npz": _npz,
    ".jsonl": _jsonl,
    ".jsonl.gz": _jsonl,
}
"""Endings of files that are no tables."""


def _folder(path: Path) -> Samples:
    """Read a folder of images, of the size of the first, or of documents."""
    from PIL import Image

    images = sorted(found for found in path.rglob("*") if found.suffix.lower() in ENDINGS)
    if not images:
        return as_hashed_words(read_documents(path), WORDS)
    try:
        with Image.open(images[0]) as first:
            width, height = first.size
            channels = len(first.getbands())
    except OSError as error:
        raise DataError(f"{images[0]}: cut off or no image: {error}") from None
    shape = (1 if channels < 3 else 3, height, width)
    return read_image_folder(ImageFolder(source="image-folder", path=str(path), image=shape))
