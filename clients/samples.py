# SPDX-License-Identifier: Apache-2.0
"""What sources read, generators draw and are fitted on, and rules choose from; never on the server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tailweave.clients.sorts import DataError, Images, Numbers, Sort, unnamed
from tailweave.clients.sorts_text import TEXT
from tailweave.protocols.arrays import Ints

Labels = NDArray[np.str_]
Index = NDArray[np.intp]
UNLABELLED = ""
"""Label of a sample that has none, among others that have one."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one sort; the arrays are read-only views, so shared ones cannot be altered.

    Attributes:
        values: One sample a row, as the sort has them, n >= 1: numbers and images (n, p), documents (n,).
        sort: What a sample is.
        labels: Class of each as text, shape (n,), or None where there are no classes.
        born: Generation in which each was generated, shape (n,); 0 for real ones.
        groups: Where each real one comes from as text, such as its hospital, shape (n,), or None where that
            is not known.
    """

    values: NDArray[Any]
    sort: Sort
    labels: Labels | None
    born: Ints
    groups: Labels | None = None

    def __post_init__(self) -> None:
        """Check the shapes and make the arrays read-only.

        Raises:
            DataError: If values are none of the sort, or labels do not fit.
        """
        object.__setattr__(self, "values", _sealed(self.sort.checked(self.values)))
        object.__setattr__(self, "born", _sealed(self.born))
        for name in ("labels", "groups"):
            given = getattr(self, name)
            if given is None:
                continue
            texts = np.asarray(given, dtype=np.str_)
            if texts.shape != self.values.shape[:1]:
                raise DataError(f"{name} must have shape {self.values.shape[:1]}, got {texts.shape}")
            object.__setattr__(self, name, _sealed(texts))

    @classmethod
    def of(cls, values: ArrayLike, labels: ArrayLike | None = None, sort: Sort | None = None) -> Self:
        """Return real samples, of unnamed columns where ``sort`` is not given."""
        array = np.asarray(values) if sort is None else sort.checked(values)
        named = sort or Numbers.unnamed(array.shape[-1] if array.ndim else 0)
        texts = None if labels is None else np.asarray(labels, dtype=np.str_)
        return cls(array, named, texts, np.zeros(len(array) if array.ndim else 0, dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence["Samples"]) -> "Samples":
        """Return all parts, of one sort, one after another; with labels if each part has them."""
        labels = [part.labels for part in parts if part.labels is not None]
        return Samples(
            np.concatenate([part.values for part in parts]),
            parts[0].sort,
            np.concatenate(labels) if len(labels) == len(parts) else None,
            np.concatenate([part.born for part in parts]),
        )

    def __len__(self) -> int:
        """Return n."""
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401 - NumPy's
        """Return the values, so that samples stand wherever an array may."""
        return np.array(self.values, dtype=dtype, copy=copy)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.sort.columns

    @property
    def image(self) -> tuple[int, int, int] | None:
        """(channels, height, width) where samples are images."""
        return self.sort.shape if isinstance(self.sort, Images) else None

    @property
    def all_equal(self) -> bool:
        """Whether each is the same as the first: judged here, before a map rounds equal ones apart."""
        return bool((self.values == self.values[0]).all())

    @property
    def labelled(self) -> "Samples":
        """Those with a label; all where there are no labels. Raises ``DataError`` if none has one."""
        if self.labels is None or (self.labels != UNLABELLED).all():
            return self
        return self.take(np.flatnonzero(self.labels != UNLABELLED))

    def take(self, index: Index | Ints) -> "Samples":
        """Return a copy of the samples at ``index``, shape (m,) with m >= 1, in that order.

        Raises:
            DataError: If ``index`` is empty.
            IndexError: If a number is out of range.
        """
        labels = None if self.labels is None else self.labels[index]
        groups = None if self.groups is None else self.groups[index]
        return Samples(self.values[index], self.sort, labels, self.born[index], groups)

    def born_in(self, generation: int) -> "Samples":
        """Return the same, as generated in a generation."""
        return replace(self, born=np.full(len(self), generation))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all but the sort by name, as ``from_arrays`` reads them back."""
        labels = {} if self.labels is None else {"labels": self.labels}
        return self.sort.stored(self.values) | {"born": self.born} | labels

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], sort: Sort) -> "Samples":
        """Rebuild; raises ``KeyError`` where a part is missing and ``DataError`` where one does not fit."""
        return cls(sort.restored(arrays), sort, arrays.get("labels"), arrays["born"].astype(np.int64))


def _sealed(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


__all__ = [
    "TEXT",
    "UNLABELLED",
    "DataError",
    "Images",
    "Index",
    "Labels",
    "Numbers",
    "Samples",
    "Sort",
    "unnamed",
]
