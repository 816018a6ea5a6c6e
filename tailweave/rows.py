# SPDX-License-Identifier: Apache-2.0
"""Rows from whatever holds them: arrays, lists, and data frames of any library."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats, matrix

_NUMBERS = {0: "i", 1: "u", 2: "f"}
"""Kinds of columns, by the numbers of the interchange protocol, and NumPy's letters for them."""
_NOTHING_MISSING, _NAN = 0, 1
"""How a column marks what is missing, by the numbers of the interchange protocol."""


def as_rows(values: object, name: str, *, columns: int | None = None) -> Floats:
    """Return rows as a finite float64 matrix.

    Args:
        values: Shape (n, d): anything with ``__array__`` (NumPy, pandas, polars, torch on the CPU), nested
            lists, or a data frame with ``__dataframe__`` alone.
        name: What the caller calls it, for messages.
        columns: The d that is required, if any.

    Returns:
        Shape (n, d), in the order of the frame's columns.

    Raises:
        ValueError: If it is not a matrix of finite numbers.
    """
    if hasattr(values, "__dataframe__") and not hasattr(values, "__array__"):
        return matrix(_of_frame(values.__dataframe__(), name), name, columns=columns)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        found = f"got {type(values).__name__}: {error}"
        raise ValueError(f"{name} must be numbers, as an array (n, d) or a data frame, {found}") from None
    return matrix(array, name, columns=columns)


def _of_frame(frame: Any, name: str) -> Floats:  # noqa: ANN401 - of any library
    """Read a frame column by column.

    Source: Python dataframe interchange protocol, data-apis.org/dataframe-protocol.
    """
    found = [
        _of_column(frame.get_column_by_name(key), f"{name}: column {key!r}") for key in frame.column_names()
    ]
    return np.column_stack(found) if found else np.empty((frame.num_rows(), 0))


def _of_column(column: Any, name: str) -> Floats:  # noqa: ANN401 - of any library
    parts = [_of_chunk(chunk, name) for chunk in column.get_chunks()]
    return np.concatenate(parts) if parts else np.empty(0)


def _of_chunk(chunk: Any, name: str) -> Floats:  # noqa: ANN401 - of any library
    kind, bits, _, _ = chunk.dtype
    if kind not in _NUMBERS:
        raise ValueError(f"{name} must be integers or floating-point numbers, got {chunk.dtype}")
    if chunk.describe_null[0] not in (_NOTHING_MISSING, _NAN) and chunk.null_count != 0:
        raise ValueError(f"{name} must have no missing values, got {chunk.null_count}")
    buffer, _ = chunk.get_buffers()["data"]
    dtype = np.dtype(f"{_NUMBERS[kind]}{bits // 8}")
    if not chunk.size():
        return np.empty(0)
    bytes_there = (ctypes.c_char * buffer.bufsize).from_address(buffer.ptr)
    numbers: NDArray[Any] = np.frombuffer(
        bytes_there, dtype, count=chunk.size(), offset=chunk.offset * dtype.itemsize
    )
    return numbers.astype(np.float64)  # a copy: the frame may be gone
