# SPDX-License-Identifier: Apache-2.0
"""Encoder of documents: hashed words, weighed by how rare they are in public documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.sorts import SortName

MOST = 65_536


@dataclass(frozen=True, eq=False)
class HashedTfIdf:
    """Counts of hashed words times the logarithm of their rarity, each document scaled to length 1.

    Attributes:
        rarity: Inverse document frequency of each column in public documents, shape (m,).

    Source:
        Salton & Buckley (1988), Information Processing & Management 24:513-523; hashing as Weinberger et al.
        (2009).
    """

    rarity: Floats
    sort: ClassVar[SortName] = "text"

    @classmethod
    def fitted(cls, documents: NDArray[Any], columns: int) -> "HashedTfIdf":
        """Count in how many public documents the words of each column are."""
        holding = np.asarray((_counts(documents, columns) > 0).sum(axis=0), dtype=np.float64).ravel()
        return cls(np.log((1.0 + len(documents)) / (1.0 + holding)) + 1.0)

    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Encode documents (n,) as codes (n, m); one without words is zero."""
        weighed = np.asarray(_counts(rows, len(self.rarity)).todense()) * self.rarity
        length = np.linalg.norm(weighed, axis=1, keepdims=True)
        codes: Floats = weighed / np.where(length > 0.0, length, 1.0)
        return codes

    def alike(self, rows: NDArray[Any]) -> Floats:
        """As a call: each row's arithmetic is its own."""
        return self(rows)

    @property
    def columns(self) -> int:
        """A document is one column."""
        return 1

    def arrays(self) -> dict[str, Floats]:
        """Return the rarities."""
        return {"rarity": self.rarity}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> "HashedTfIdf":
        """Open an encoder that came over the wire.

        Raises:
            ValueError: If rarities are none.
        """
        rarity = arrays["rarity"]
        if rarity.ndim != 1 or not 2 <= len(rarity) <= MOST or not ((rarity >= 0.0) & (rarity < 100.0)).all():
            raise ValueError(f"rarity must be 2 to {MOST} numbers in [0, 100), got shape {rarity.shape}")
        return cls(rarity)


def _counts(documents: NDArray[Any], columns: int) -> Any:  # noqa: ANN401 - a sparse matrix, which has no types
    from sklearn.feature_extraction.text import HashingVectorizer  # slow to import

    words = HashingVectorizer(n_features=columns, norm=None, alternate_sign=False)
    return words.transform(documents.tolist())
