# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10 as its authors ship it: the unpacked folder ``cifar-10-batches-py`` of Python pickles.

A pickle can run any code. This reader lets it make numbers, text, lists, dictionaries and one kind of array,
and nothing else.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.some_rows import some_rows
from tailweave.clients.samples import DataError, Images, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.cifar10 import Cifar10

TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
META = "batches.meta"
IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_LARGEST = 256 * 2**20
"""Bytes of a file that is read at all; the authors' batches have 31 million."""
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    UnicodeDecodeError,
    OverflowError,
    MemoryError,
)
"""What the unpickler raises on bytes that are cut off or are no pickle."""


class _ForbiddenError(ValueError):
    """A pickle asks for something that no CIFAR-10 file holds."""


def read_cifar10(folder: str | Path, batches: tuple[str, ...]) -> Samples:
    """Read some of the batches.

    Args:
        folder: The unpacked folder: ``data_batch_1`` to ``data_batch_5``, ``test_batch``, ``batches.meta``.
        batches: Names of the files wanted, in order; ``TRAIN`` or ``TEST``.

    Returns:
        Pixels in [0, 1], channel by channel (red, green, blue), each 32 rows of 32; labels are the names in
        ``batches.meta``; ``image`` is (3, 32, 32).

    Raises:
        DataError: If a file is missing, cut off, or holds something else, naming the file and what was
            expected.
    """
    folder = Path(folder)
    _check_files(folder)
    names, rows = _meta(folder / META)
    pixels, numbers = zip(*(_batch(folder / name, rows, len(names)) for name in batches), strict=True)
    values = np.concatenate(pixels).astype(np.float64)
    values /= 255.0
    columns = tuple(f"{colour}{place}" for colour in "rgb" for place in range(32 * 32))
    return Samples.of(values, np.array(names)[np.concatenate(numbers)], Images(columns, shape=IMAGE))


def _check_files(folder: Path) -> None:
    expected = f"expected the unpacked folder cifar-10-batches-py with {', '.join((*TRAIN, *TEST, META))}"
    if folder.is_file():
        raise DataError(f"{folder}: found a file; {expected} (unpack the archive first)")
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; {expected}")
    missing = [name for name in (*TRAIN, *TEST, META) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: missing {', '.join(missing)}; {expected}")


def _meta(path: Path) -> tuple[list[str], int]:
    """Return the names of the classes and the number of rows in each batch."""
    found = _mapping(path)
    names, rows = found.get(b"label_names"), found.get(b"num_cases_per_batch")
    if not (isinstance(names, list) and names and all(isinstance(name, bytes) for name in names)):
        raise DataError(f"{path}: expected label_names, a list of class names, found {type(names).__name__}")
    if not isinstance(rows, int) or isinstance(rows, bool) or rows < 1:
        raise DataError(f"{path}: expected num_cases_per_batch, a count of images, found {rows!r:.60}")
    return [name.decode("utf-8", errors="replace") for name in names], rows


def _batch(path: Path, rows: int, classes: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels (rows, 3072) and class numbers (rows,)."""
    found = _mapping(path)
    data, labels = found.get(b"data"), found.get(b"labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (rows, _PIXELS):
        what = f"{data.dtype} of shape {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{path}: expected data, uint8 of shape ({rows}, {_PIXELS}), found {what}")
    if not isinstance(labels, list) or len(labels) != rows:
        what = f"{len(labels)}" if isinstance(labels, list) else type(labels).__name__
        raise DataError(f"{path}: expected labels, a list of {rows} class numbers, found {what}")
    bad = next((label for label in labels if type(label) is not int or not 0 <= label < classes), None)
    if bad is not None:
        raise DataError(f"{path}: expected labels in 0..{classes - 1}, found {bad!r:.60}")
    return data, np.array(labels, dtype=np.int64)


def _mapping(path: Path) -> dict[bytes, Any]:
    size = path.stat().st_size
    if size > _LARGEST:
        raise DataError(f"{path}: has {size} bytes, expected a CIFAR-10 batch of at most {_LARGEST}")
    try:
        found = _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except _ForbiddenError as error:
        raise DataError(f"{path}: {error}; this is no file of CIFAR-10's authors and was not read") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except _BROKEN as error:
        raise DataError(
            f"{path}: cut off or damaged after {size} bytes ({error}); expected a whole pickle of CIFAR-10's "
            "authors (a batch of 10,000 images has about 31,000,000 bytes)"
        ) from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a pickled dictionary, found {type(found).__name__}")
    return found


class _Unpickler(pickle.Unpickler):
    """Knows arrays of bytes, whichever numpy wrote them, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as the base class
        if (module, name) in _ARRAYS:
            return _ARRAYS[module, name]
        raise _ForbiddenError(f"asks for {module}.{name}")


def _empty(kind: object, shape: object, code: object) -> NDArray[np.uint8]:
    """Stand in for numpy's own maker of arrays, which would reserve any size that a file asks for."""
    return np.empty(0, dtype=np.uint8)


def _bytes_only(code: object, *options: object) -> np.dtype[Any]:
    if code not in (b"u1", "u1"):
        raise _ForbiddenError(f"asks for an array of {code!r:.60}")
    return np.dtype("u1")


_ARRAYS: dict[tuple[str, str], Callable[..., Any] | str] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy", "ndarray"): "ndarray",  # only ever an argument of the maker: it needs not to be callable
    ("numpy", "dtype"): _bytes_only,
}


@implements(Cifar10)
def load(spec: Cifar10, *, seed: int) -> tuple[Samples, Samples]:
    """Read the training images and the test batch, or a random share of each."""
    train, test = read_cifar10(spec.path, TRAIN), read_cifar10(spec.path, TEST)
    return (
        train.take(some_rows(len(train), spec.rows, "rows", seed)),
        test.take(some_rows(len(test), spec.evaluation_rows, "evaluation-rows", seed)),
    )
