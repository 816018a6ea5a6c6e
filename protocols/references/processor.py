# SPDX-License-Identifier: Apache-2.0
"""Where distances are computed: with NumPy on this processor, or with a library that is called alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Processor:
    """A library of arrays and a place for them.

    Attributes:
        xp: The library: ``numpy``, or one whose functions have the same names and meanings (``torch``).
        send: Brings an array of NumPy there.
        fetch: Brings one back.
        tile: Rows or columns of distances that are held at once, so that a block stays in the cache.
    """

    xp: Any
    send: Callable[[NDArray[Any]], Any]
    fetch: Callable[[Any], NDArray[Any]]
    tile: int


HERE = Processor(np, np.asarray, np.asarray, 512)
