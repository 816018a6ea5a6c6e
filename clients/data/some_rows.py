# SPDX-License-Identifier: Apache-2.0
"""A random share of what a data set's authors ship."""

import numpy as np

from tailweave.clients.samples import DataError, Index
from tailweave.protocols.streams import stream


def some_rows(there: int, count: int | None, key: str, seed: int) -> Index:
    """Choose rows at random, in their own order.

    Args:
        there: How many there are.
        count: How many are wanted; None keeps all.
        key: The option of ``data`` that says so; it names the stream too.
        seed: Root seed of the run.

    Returns:
        Their numbers, growing, shape (count,).

    Raises:
        DataError: If there are not so many.
    """
    if count is None:
        return np.arange(there)
    if count > there:
        raise DataError(f"data.{key} must be at most the {there} images that there are, got {count}")
    return np.sort(stream(seed, "data", key).choice(there, count, replace=False))
