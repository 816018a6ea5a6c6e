# SPDX-License-Identifier: Apache-2.0
"""Labels that come as floats: 5.0 is the class ``5`` in every format."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.samples import DataError


def whole(where: str, array: NDArray[Any]) -> NDArray[np.int64]:
    """Return floats that are whole numbers as integers.

    Args:
        where: File and column, for the message.
        array: Shape (n,).

    Raises:
        DataError: At the first that is none, or too large to be told from its neighbours.
    """
    # Beyond 2^53 neighbouring floats are more than 1 apart: such numbers cannot tell labels apart.
    array = array.astype(np.float64)
    bad = ~((np.abs(array) < 2.0**53) & (array == np.floor(array)))
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{where}, row {row}: found {array[row]}, allowed: text or whole numbers")
    return array.astype(np.int64)
