# SPDX-License-Identifier: Apache-2.0
"""The array types of the project, and the checks made where arrays come in."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

A = TypeVar("A")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MAX_ARRAY_BYTES = 256 * 2**20
"""Of one array that crosses the wire."""


def part_of(arrays: Mapping[str, A], name: str) -> dict[str, A]:
    """Return the arrays that are called ``name/...``, without the prefix."""
    prefix = f"{name}/"
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def with_prefix(name: str, arrays: Mapping[str, A]) -> dict[str, A]:
    """Return the arrays called ``name/...``, as ``part_of`` takes them apart."""
    return {f"{name}/{key}": array for key, array in arrays.items()}


def matrix(values: ArrayLike, name: str, *, columns: int | None = None) -> Floats:
    """Return ``values`` as a finite float64 matrix.

    Args:
        values: Rows, shape (n, d) with n >= 1 and d >= 1.
        name: What the caller calls the argument, for the message.
        columns: The d that is required, if any.

    Returns:
        The same values, shape (n, d), float64.

    Raises:
        ValueError: If the shape is wrong, the matrix is empty, or an entry is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"{name} must be a non-empty matrix (n, d), got shape {array.shape}")
    if columns is not None and array.shape[1] != columns:
        raise ValueError(f"{name} must have {columns} columns, got {array.shape[1]}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name} must be finite, got {array[row, column]} in column {column}")
    return array


def probabilities(values: ArrayLike, name: str) -> Floats:
    """Return ``values`` scaled to sum to one.

    Args:
        values: Non-negative masses, shape (n,), not all zero.
        name: What the caller calls the argument, for the message.

    Returns:
        Masses that sum to 1, shape (n,).

    Raises:
        ValueError: If the shape is wrong, a mass is negative or not finite, or all are zero.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a non-empty vector, got shape {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        raise ValueError(f"{name} must be finite, non-negative and not all zero, got {array.tolist()[:8]}")
    total: Floats = array / array.sum()
    return total
