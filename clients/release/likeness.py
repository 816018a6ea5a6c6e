# SPDX-License-Identifier: Apache-2.0
"""Whether two tables are recognisably of the same rows, told from keyed sketches that hold no row."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SKETCH = 1024
"""Hashes that a sketch keeps: at an overlap of one half its standard error is 1 / sqrt(4 * 1024) = 1.6 %."""
SAME = 0.5
"""Overlap from which two tables are of the same rows."""
_DISTINCT = 0.5
"""Share of rows that must occur once; where fewer do (a few yes-or-no columns) strangers look alike too."""
_BLOCK = 4096
_END = 2**64 - 1


@dataclass(frozen=True)
class Likeness:
    """What is kept of a table to know it again.

    Attributes:
        table: Digest of all rows in any order, 64 hex digits.
        sketch: The smallest hashes of the rows that occur once, ascending, at most ``SKETCH``; empty where
            too few rows are distinct.
    """

    table: str
    sketch: tuple[int, ...]


def likeness(rows: NDArray[Any], key: bytes) -> Likeness:
    """Return the digest and the bottom-k sketch of rows (n, p), or documents (n,), under the host's secret.

    A row's hash does not depend on where it stands, nor on the order of its columns. Whoever has the key can
    test whether a row that he knows is in the table, so the key and the sketch stay on the host.

    Source:
        Beyer, Haas, Reinwald, Sismanis & Gemulla (2007), "On synopses for distinct-value estimation under
        multiset operations", SIGMOD, section 4.
    """
    hashes = np.sort(_hashes(rows, key))
    table = hmac.new(key, hashes.astype("<u8").tobytes(), hashlib.sha256).hexdigest()
    values, counts = np.unique(hashes, return_counts=True)
    once = values[counts == 1]
    if len(once) < _DISTINCT * len(rows):
        return Likeness(table, ())
    return Likeness(table, tuple(once[:SKETCH].tolist()))


def _hashes(rows: NDArray[Any], key: bytes) -> NDArray[np.uint64]:
    """Return the keyed BLAKE2b of every row's sorted values, or of every document, shape (n,)."""
    start, found = hashlib.blake2b(key=key, digest_size=8), bytearray()
    if rows.dtype.kind == "T":
        for text in rows.tolist():
            one = start.copy()
            one.update(text.encode(errors="replace"))
            found += one.digest()
        return np.frombuffer(bytes(found), dtype="<u8").astype(np.uint64)
    width = 8 * rows.shape[1]
    for first in range(0, len(rows), _BLOCK):
        block = np.sort(rows[first : first + _BLOCK].astype("<f8") + 0.0, axis=1)  # -0.0 is 0.0
        content = block.tobytes()
        for at in range(0, len(content), width):
            one = start.copy()
            one.update(content[at : at + width])
            found += one.digest()
    return np.frombuffer(bytes(found), dtype="<u8").astype(np.uint64)


def overlap(one: tuple[int, ...], two: tuple[int, ...]) -> float:
    r"""Estimate how much of the smaller of two tables stands in the other one.

    .. math:: |A \cap B| / min(|A|, |B|)

    Containment rather than resemblance: a table that grew tenfold, and a tenth that was taken from one, are
    still the same people's rows. Both sketches are complete below the smaller of their ends, so the share is
    counted there.

    Returns:
        0 to 1; 0 where one is empty or nothing of the smaller table is below the ends, which happens from a
        size ratio of about 1,000 on. Standard error about sqrt(r / 4096) at one half and a size ratio of r.
    """
    end = min(_end(one), _end(two))
    below = [{value for value in sketch if value <= end} for sketch in (one, two)]
    fewest = min(map(len, below))
    return len(below[0] & below[1]) / fewest if fewest else 0.0


def union(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sketch of both tables together."""
    return tuple(sorted({*one, *two})[:SKETCH])


def _end(sketch: tuple[int, ...]) -> int:
    return sketch[-1] if len(sketch) == SKETCH else _END
