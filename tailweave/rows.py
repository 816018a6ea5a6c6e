# SPDX-License-Identifier: Apache-2.0
"""Rows from whatever holds them: arrays, lists, and data frames of any library."""

from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.data.frames import frame_table, is_frame
from tailweave.protocols.arrays import Floats, matrix

if TYPE_CHECKING:
    import pyarrow


def as_rows(values: object, name: str, *, columns: int | None = None) -> Floats:
    """Return rows as a finite float64 matrix.

    Args:
        values: Shape (n, d): a data frame of any library, all of numbers; anything with ``__array__`` (NumPy,
            torch on the CPU); nested lists.
        name: What the caller calls it, for messages.
        columns: The d that is required, if any.

    Returns:
        Shape (n, d), in the order of the frame's columns.

    Raises:
        ValueError: If it is not a matrix of finite numbers.
    """
    if is_frame(values):
        return matrix(_of_table(frame_table(values, name), name), name, columns=columns)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        found = f"got {type(values).__name__}: {error}"
        raise ValueError(f"{name} must be numbers, as an array (n, d) or a data frame, {found}") from None
    return matrix(array, name, columns=columns)


def _of_table(table: "pyarrow.Table", name: str) -> Floats:
    found = [_of_column(table.column(key), f"{name}: column {key!r}") for key in table.column_names]
    return np.column_stack(found) if found else np.empty((len(table), 0))


def _of_column(column: "pyarrow.ChunkedArray", name: str) -> Floats:
    from pyarrow import types

    numbers = (types.is_integer, types.is_floating, types.is_decimal)
    if not any(fits(column.type) for fits in numbers):
        raise ValueError(f"{name} must be integers or floating-point numbers, got {column.type}")
    if column.null_count:
        raise ValueError(f"{name} must have no missing values, got {column.null_count}")
    values: Floats = column.cast("float64", safe=False).to_numpy()
    return values
