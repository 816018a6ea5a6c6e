# SPDX-License-Identifier: Apache-2.0
"""Rows from a Parquet file: numbers in every column but the label's."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.whole_numbers import whole
from tailweave.clients.samples import DataError, Numbers, Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.npz import GIB, LITTLE_BYTES, MOST_BYTES

_MOST_RATIO = 1000
"""Bytes of numbers for a byte of the file; flags of which one in a hundred is set reach a few hundred."""
_LONGEST_LABEL = 800
"""Bytes: 200 characters of four; a longer class could not be named among the metrics."""


def read_parquet(path: Path, label: str | None) -> Samples:
    """Read a Parquet file with pyarrow, which the extra ``parquet`` brings.

    Args:
        path: An existing file.
        label: Name of the column that holds the labels, text or whole numbers; None if there is none.

    Returns:
        The table; labels become text.

    Raises:
        DataError: Naming file, column and row, what was found and what is allowed; or that pyarrow lacks.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise DataError(f"{path}: Parquet needs pyarrow: pip install 'tailweave[parquet]'") from None
    try:
        schema = parquet.read_schema(path)
        index = _index_of(schema) - {label}
        names = [str(name) for name in schema.names if name not in index]
        _check_names(path, names, label)
        _check_types(path, schema, names, label)
        columns = tuple(name for name in names if name != label)
        file = parquet.ParquetFile(path, read_dictionary=[] if label is None else [label])
        _check_size(path, file.metadata.num_rows, len(columns))
        table = file.read(columns=names)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read: {str(error)[:200]}") from None
    if table.num_rows == 0:
        raise DataError(f"{path}: there are no rows")
    values = np.column_stack([_numbers(path, name, table.column(name)) for name in columns])
    labels = None if label is None else _labels(path, label, table.column(label))
    return Samples.of(values, labels, Numbers(columns))


def _index_of(schema: Any) -> set[str | None]:  # noqa: ANN401 - pyarrow has no types
    """Return the columns that are a data frame's row names and no features, as pandas notes them."""
    noted = schema.pandas_metadata or {}
    return {name for name in noted.get("index_columns", []) if isinstance(name, str)}


def _check_names(path: Path, names: list[str], label: str | None) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: column names must differ, found twice: {', '.join(twice)}")
    if label is not None and label not in names:
        raise DataError(f"{path}: {unknown_name('column', label, names)}")
    if names in ([], [label]):
        raise DataError(f"{path}: there are no numeric columns")


def _check_types(path: Path, schema: Any, names: list[str], label: str | None) -> None:  # noqa: ANN401
    """Refuse columns that are no numbers before a value is read: text may unfold to any length."""
    from pyarrow import types

    texts = (types.is_string, types.is_large_string, types.is_string_view)
    numbers = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal)
    for name in names:
        kind = schema.field(name).type
        if name == label:
            kind = kind.value_type if types.is_dictionary(kind) else kind
            if not any(fits(kind) for fits in (*texts, *numbers)):
                raise DataError(
                    f"{path}, column {name!r}: found labels of {kind}, allowed: text or whole numbers"
                )
        elif not any(fits(kind) for fits in numbers):
            hint = "; if this column holds the labels, name it in label" if label is None else ""
            raise DataError(f"{path}, column {name!r}: found {kind}, allowed: numbers{hint}")


def _check_size(path: Path, rows: int, columns: int) -> None:
    """Refuse what grows beyond measure: a Parquet file stores a billion equal numbers in a few bytes."""
    unpacked, packed = rows * columns * 8, path.stat().st_size
    if unpacked > MOST_BYTES or (unpacked > LITTLE_BYTES and unpacked > _MOST_RATIO * packed):
        raise DataError(
            f"{path}: found {rows} rows of {columns} columns, {unpacked} bytes of numbers in {packed}, "
            f"allowed: at most {MOST_BYTES // GIB} GiB, and above {LITTLE_BYTES // 2**20} MiB at most "
            f"{_MOST_RATIO} times the file; write it as NPZ, without compression"
        )


def _numbers(path: Path, name: str, column: Any) -> Floats:  # noqa: ANN401 - pyarrow has no types
    """Return one column as finite float64, shape (n,)."""
    _no_gaps(path, name, column, "a finite number")
    values: Floats = column.to_numpy().astype(np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{path}, row {row}, column {name!r}: found {values[row]}, allowed: a finite number")
    return values


def _labels(path: Path, name: str, column: Any) -> NDArray[np.str_]:  # noqa: ANN401 - pyarrow has no types
    """Return the label column as text, shape (n,)."""
    from pyarrow import types

    _no_gaps(path, name, column, "a label")
    if types.is_dictionary(column.type):
        _check_lengths(path, name, column)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    found = column.to_pylist()
    if types.is_floating(kind) or types.is_decimal(kind):
        found = whole(f"{path}, column {name!r}", np.array(found, dtype=np.float64)).tolist()
    labels = np.array([str(label) for label in found], dtype=np.str_)
    if (labels == "").any():
        row = int(np.argmax(labels == ""))
        raise DataError(f"{path}, row {row}, column {name!r}: found an empty label, allowed: text")
    return labels


def _check_lengths(path: Path, name: str, column: Any) -> None:  # noqa: ANN401 - pyarrow has no types
    """Refuse long labels while each stands there once: every row becomes as wide as the longest."""
    from pyarrow import compute

    for chunk in column.chunks:
        size = compute.max(compute.binary_length(chunk.dictionary)).as_py() or 0
        if size > _LONGEST_LABEL:
            raise DataError(
                f"{path}, column {name!r}: found a label of {size} bytes, allowed: at most {_LONGEST_LABEL}"
            )


def _no_gaps(path: Path, name: str, column: Any, allowed: str) -> None:  # noqa: ANN401 - pyarrow has no types
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise DataError(f"{path}, row {row}, column {name!r}: found nothing, allowed: {allowed}")
