# SPDX-License-Identifier: Apache-2.0
"""Rows or images from an NPZ archive: numbers in an array, labels in another."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.cell_numbers import LARGEST
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.whole_numbers import whole
from tailweave.clients.samples import DataError, Images, Numbers, Samples, unnamed
from tailweave.protocols.arrays import Floats
from tailweave.protocols.npz import NpzError, open_npz

ROWS = "x"
"""Name of the array of rows where none is given."""


def read_npz(path: Path, label: str | None, rows: str = ROWS) -> Samples:
    """Read an array of rows and its labels; pickled arrays are never loaded.

    Args:
        path: An existing file.
        label: Name of the array of labels; None means ``y`` where there is one. Labels are text or whole
            numbers, and become text.
        rows: Name of the array of rows; axes of length 1 at its end are dropped.

    Returns:
        The table, with columns named ``x0``, ``x1``, ...

    Raises:
        DataError: Naming file, array, row and column, what was found and what is allowed.
    """
    chosen = _chosen(path, label, rows)
    values = _values(f"{path}, array {rows!r}", _flat(_array(path, rows), 2))
    labels = None if chosen is None else _labels(path, chosen, _flat(_array(path, chosen), 1), len(values))
    return Samples.of(values, labels, Numbers.unnamed(values.shape[1]))


def read_npz_images(path: Path, label: str | None, image: tuple[int, int, int], rows: str = ROWS) -> Samples:
    """Read images from an array; labels are as in ``read_npz``.

    Args:
        path: An existing file.
        label: Name of the array of labels; None means ``y`` where there is one.
        image: (channels, height, width). The array has shape (n, c, h, w), (n, c h w), or (n, h, w) for one
            channel; whole numbers are 0 to 255, other numbers 0 to 1.
        rows: Name of the array of images.

    Returns:
        Pixels in [0, 1], with their ``image`` shape.

    Raises:
        DataError: Naming file and array, what was found and what is allowed.
    """
    chosen = _chosen(path, label, rows)
    array = _array(path, rows)
    where = f"{path}, array {rows!r}"
    flat = math.prod(image)
    allowed = [image, (flat,)] + ([image[1:]] if image[0] == 1 else [])
    if array.ndim < 2 or len(array) == 0 or array.shape[1:] not in allowed:
        shapes = " or ".join(str(("n", *shape)).replace("'", "") for shape in allowed)
        raise DataError(f"{where}: found shape {array.shape}, allowed for image {list(image)}: {shapes}")
    values = _values(where, array.reshape(len(array), flat))
    top = 255.0 if array.dtype.kind in "iu" else 1.0
    if values.min() < 0.0 or values.max() > top:
        raise DataError(
            f"{where}: found values from {values.min():g} to {values.max():g}, allowed: whole numbers 0 to "
            "255, or other numbers 0 to 1"
        )
    labels = None if chosen is None else _labels(path, chosen, _flat(_array(path, chosen), 1), len(values))
    return Samples.of(values / top, labels, Images(unnamed(flat), shape=image))


def _chosen(path: Path, label: str | None, rows: str) -> str | None:
    """Check what the archive holds and return the name of its array of labels, if any."""
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: found no NPZ archive (a zip of arrays); write it with numpy.savez")
    try:
        with open_npz(path) as archive:
            names = list(archive.members)
    except (OSError, NpzError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    if rows not in names:
        raise DataError(f"{path}: {unknown_name('array', rows, names)}; say which holds rows in data.array")
    if label is not None and label not in names:
        raise DataError(f"{path}: {unknown_name('array', label, names)}")
    return label if label is not None else "y" if "y" in names else None


def _array(path: Path, name: str) -> NDArray[Any]:
    """Load one array of the archive."""
    try:
        with open_npz(path) as archive:
            return archive.read(name)
    except (OSError, NpzError) as error:
        raise DataError(f"{path}, array {name!r}: cannot be read: {error}") from None


def _flat(array: NDArray[Any], axes: int) -> NDArray[Any]:
    """Return an array without axes of length 1 at its end, as far as it has more than ``axes``."""
    while array.ndim > axes and array.shape[-1] == 1:
        array = array[..., 0]
    return array


def _values(where: str, array: NDArray[Any]) -> Floats:
    """Return rows as float64, finite and not beyond ``LARGEST``, shape (n, p)."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where}: found values of type {array.dtype}, allowed: real numbers")
    if array.ndim != 2 or array.size == 0:
        raise DataError(f"{where}: found shape {array.shape}, allowed: (rows, columns), at least one of each")
    values = array.astype(np.float64)
    bad = np.argwhere(~(np.abs(values) <= LARGEST))
    if len(bad):
        row, column = bad[0]
        found = values[row, column]
        allowed = f"a number up to {LARGEST:g}; change its unit" if np.isfinite(found) else "a finite number"
        raise DataError(f"{where}, row {row}, column {column}: found {found}, allowed: {allowed}")
    return values


def _labels(path: Path, name: str, array: NDArray[Any], rows: int) -> NDArray[np.str_]:
    """Return labels as text, shape (n,)."""
    where = f"{path}, array {name!r}"
    if array.shape != (rows,):
        raise DataError(f"{where}: found shape {array.shape}, allowed: ({rows},), one label for each row")
    if array.dtype.kind not in "USiubf":
        raise DataError(f"{where}: found labels of type {array.dtype}, allowed: text or whole numbers")
    if array.dtype.kind == "f":
        array = whole(where, array)
    if array.dtype.kind == "S":
        try:
            labels = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{where}: found bytes that are not UTF-8, allowed: text") from error
    else:
        labels = array.astype(np.str_)
    if (labels == "").any():
        raise DataError(f"{where}, row {int(np.argmax(labels == ''))}: found an empty label, allowed: text")
    return labels
