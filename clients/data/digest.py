# SPDX-License-Identifier: Apache-2.0
"""By what samples are known again after an interruption: a digest of all that they hold."""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.samples import Samples


def digest_of(*parts: Samples) -> str:
    """Return the digest of samples: columns, values, labels and groups, in order; 32 hex digits.

    Privacy:
        It tells whether a guess of all rows is right, so it stays with them: it is kept beside checkpoints,
        which hold rows, or in the run folder of a simulation, and is never sent.
    """
    found = hashlib.blake2b(digest_size=16)
    for samples in parts:
        for array in (np.array(samples.columns), samples.values, samples.labels, samples.groups):
            for piece in _pieces(array):
                found.update(piece)
    return found.hexdigest()


def _pieces(array: NDArray[np.generic] | None) -> Iterable[bytes | memoryview]:
    """Yield a head, which tells shapes apart, and the bytes; texts of any length each with their own."""
    if array is None:
        yield b"none;"
        return
    yield f"{array.dtype.kind}{array.shape};".encode()
    if array.dtype.kind in "UTO":
        for text in array.tolist():
            told = str(text).encode()
            yield b"%d:" % len(told)
            yield told
    else:
        yield np.ascontiguousarray(array).data.cast("B")
