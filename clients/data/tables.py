# SPDX-License-Identifier: Apache-2.0
"""The user's own rows, read from a file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from tailweave.clients.data.declared_table import read_declared
from tailweave.clients.data.naming import SHOWN
from tailweave.clients.data.npz_table import ROWS, read_npz, read_npz_images
from tailweave.clients.data.number_table import read_numbers
from tailweave.clients.data.raw_table import PLAIN, RAW_ENDINGS, Form, existing
from tailweave.clients.data.scaling import standardized
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.table import TableData

_NPZ = ".npz"
_ENDINGS = (*RAW_ENDINGS, _NPZ)


def read_table(path: str | Path, label: str | None, *, form: Form = PLAIN, array: str = ROWS) -> Samples:
    """Read a table of numbers by the ending of its name, such as ``.csv``, ``.npz`` or ``.parquet``.

    Args:
        path: The file.
        label: Name of the label column or, of an NPZ, array, if any; see the readers.
        form: How a CSV is written.
        array: Name of an NPZ's array of rows.

    Returns:
        The rows as they stand in the file, unscaled.

    Raises:
        DataError: If the file is missing or anything in it is not allowed.
    """
    path = existing(path, _ENDINGS)
    if path.suffix.lower() != _NPZ:
        return read_numbers(path, label, form)
    try:
        return read_npz(path, label, array)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_images(
    path: str | Path, label: str | None, image: tuple[int, int, int], *, array: str = ROWS
) -> Samples:
    """Read an NPZ of images; see ``read_npz_images``.

    Args:
        path: The file.
        label: Name of the array of labels, if any.
        image: (channels, height, width).
        array: Name of the array of images.

    Returns:
        The images, pixels in [0, 1].

    Raises:
        DataError: If the file is missing or anything in it is not allowed.
    """
    path = existing(path, [_NPZ])
    try:
        return read_npz_images(path, label, image, array)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


@implements(TableData)
def load(spec: TableData, *, seed: int) -> Samples:
    """Read the user's own table, or the tables of all silos: rows then know whose file they come from."""
    parts = {silo: _read(spec, path) for silo, path in spec.files.items()}
    rows = next(iter(parts.values())) if isinstance(spec.path, str) else _joined(spec, parts)
    return standardized(rows) if spec.standardize else rows


def _read(spec: TableData, path: str) -> Samples:
    if spec.columns is not None:
        return read_declared(spec, Path(path))
    if spec.image is not None:
        return read_images(path, spec.label, spec.image, array=spec.array or ROWS)
    form = Form(spec.delimiter, spec.decimal)
    return read_table(path, spec.label, form=form, array=spec.array or ROWS)


def _joined(spec: TableData, parts: Mapping[str, Samples]) -> Samples:
    """Return the rows of all silos, each in the group of its file."""
    first, *others = parts
    for silo in others:
        if parts[silo].columns != parts[first].columns:
            raise DataError(
                f"{spec.files[silo]}: the columns must be those of {spec.files[first]}, in their order: "
                f"{', '.join(parts[first].columns[:SHOWN])}; found {', '.join(parts[silo].columns[:SHOWN])}"
            )
    names = np.repeat(list(parts), [len(part) for part in parts.values()])
    return replace(Samples.joined(list(parts.values())), groups=names)
