# SPDX-License-Identifier: Apache-2.0
"""Documents as one plain array, for files and for the wire, where an array holds numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tailweave.protocols.arrays import Floats

Texts = NDArray[Any]
"""Strings, shape (n,), of NumPy's own variable-width dtype."""
_END = b"\xff"
"""Ends a document; a byte that UTF-8 never has."""


def documents(values: ArrayLike) -> Texts:
    """Return documents, shape (n,) with n >= 1.

    Raises:
        ValueError: If there are none, or one is no string.
    """
    array = (
        values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    )  # each as long as it is
    if array.ndim != 1 or not len(array):
        raise ValueError(f"documents must be a list of one or more strings, got shape {array.shape}")
    if array.dtype.kind not in "UT" and not all(isinstance(one, str) for one in array.tolist()):
        raise ValueError(f"documents must be strings, got {array.dtype}")
    return array.astype(np.dtypes.StringDType())


def packed(texts: Sequence[str]) -> Floats:
    """Return the UTF-8 bytes of all documents, each followed by 255, shape (b,).

    A lone surrogate, which is no character, becomes a question mark.
    """
    content = b"".join(text.encode(errors="replace") + _END for text in texts)
    return np.frombuffer(content, dtype=np.uint8).astype(np.float64)


def unpacked(array: NDArray[Any]) -> list[str]:
    """Return what ``packed`` was given.

    Raises:
        ValueError: If the array holds anything but whole bytes, ends in the middle of a document, or a
            document is not UTF-8.
    """
    if array.ndim != 1 or not ((array >= 0) & (array <= 255) & (array == np.floor(array))).all():
        raise ValueError(f"documents must be a vector of bytes, got shape {array.shape}")
    *texts, rest = array.astype(np.uint8).tobytes().split(_END)
    if rest:
        raise ValueError("documents must each be ended by 255")
    try:
        return [text.decode() for text in texts]
    except UnicodeDecodeError as error:
        raise ValueError(f"documents must be UTF-8: {error.reason} at byte {error.start}") from None
