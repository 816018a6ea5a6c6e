# SPDX-License-Identifier: Apache-2.0
"""The user's own rows, read from a file."""

from pathlib import Path

from tailweave.clients.data.csv_table import read_csv
from tailweave.clients.data.npz_table import read_npz, read_npz_images
from tailweave.clients.data.parquet_table import read_parquet
from tailweave.clients.data.scaling import standardized
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.table import TableData

READERS = {".csv": read_csv, ".npz": read_npz, ".parquet": read_parquet}


def read_table(path: str | Path, label: str | None) -> Samples:
    """Read a table by the ending of its name: ``.csv``, ``.npz`` or ``.parquet``.

    Args:
        path: The file.
        label: Name of the label column (CSV, Parquet) or array (NPZ), if any; see the readers.

    Returns:
        The rows as they stand in the file, unscaled.

    Raises:
        DataError: If the file is missing or anything in it is not allowed.
    """
    path = _existing(path)
    try:
        return READERS[path.suffix.lower()](path, label)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_images(path: str | Path, label: str | None, image: tuple[int, int, int]) -> Samples:
    """Read an NPZ of images; see ``read_npz_images``.

    Args:
        path: The file.
        label: Name of the array of labels, if any.
        image: (channels, height, width).

    Returns:
        The images, pixels in [0, 1].

    Raises:
        DataError: If the file is missing or anything in it is not allowed.
    """
    path = _existing(path)
    try:
        return read_npz_images(path, label, image)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise DataError(
            f"{path}: the name must end in {' or '.join(READERS)}, found {path.suffix or 'no ending'}"
        )
    if path.is_dir():
        raise DataError(f"{path}: found a directory, allowed: a file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file (looked for {path.absolute()})")
    return path


@implements(TableData)
def load(spec: TableData, *, seed: int) -> Samples:
    """Read the user's own table; raises ``DataError`` where its name does not fit the source, too."""
    if Path(spec.path).suffix.lower() != f".{spec.source}":
        raise DataError(f"source: {spec.source} needs a path that ends in .{spec.source}, got {spec.path}")
    if spec.image is not None:
        return read_images(spec.path, spec.label, spec.image)
    rows = read_table(spec.path, spec.label)
    return standardized(rows) if spec.standardize else rows
