# SPDX-License-Identifier: Apache-2.0
"""The type that holds raw data; it exists on clients and in the simulation, never on the server."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats, matrix


class DataError(ValueError):
    """Data that cannot be used as asked.

    The message may quote a cell of the data, so it is for the owner of the data only: it must not be sent.
    """


@dataclass(frozen=True, eq=False)
class Rows:
    """Raw rows with their labels; the arrays are read-only views, so a shared ``Rows`` cannot be altered.

    Attributes:
        values: Finite values, shape (n, p) with n >= 1 and p >= 1.
        labels: Class of each row as text, shape (n,), or None where the data has no classes.
        columns: Names of the columns, p of them.
        image: (channels, height, width) where each row is an image, channel by channel and line by line,
            with c h w = p; None where rows are no images.
        text: Whether each row is a document as hashed words; see ``documents.py``.
    """

    values: Floats
    labels: NDArray[np.str_] | None
    columns: tuple[str, ...]
    image: tuple[int, int, int] | None = None
    text: bool = False

    def __post_init__(self) -> None:
        """Check the shapes and make the arrays read-only.

        Raises:
            DataError: If values are not a finite non-empty matrix, or labels, columns or image do not fit.
        """
        try:
            values = matrix(self.values, "values").view()
        except ValueError as error:
            raise DataError(str(error)) from error
        if len(self.columns) != values.shape[1]:
            raise DataError(f"columns must name all {values.shape[1]} columns, got {len(self.columns)} names")
        if self.image is not None and math.prod(self.image) != values.shape[1]:
            raise DataError(f"image {self.image} does not fit rows of {values.shape[1]} columns")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        if self.labels is None:
            return
        labels = np.asarray(self.labels, dtype=np.str_).view()
        if labels.shape != values.shape[:1]:
            raise DataError(f"labels must have shape {values.shape[:1]}, got {labels.shape}")
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        """Return n, the number of rows."""
        return len(self.values)

    def take(self, index: NDArray[np.intp]) -> "Rows":
        """Return the rows at ``index``, in that order.

        Args:
            index: Row numbers, shape (m,) with m >= 1.

        Returns:
            A copy of those rows.

        Raises:
            DataError: If ``index`` is empty.
            IndexError: If a row number is out of range.
        """
        labels = None if self.labels is None else self.labels[index]
        return Rows(self.values[index], labels, self.columns, self.image, self.text)
