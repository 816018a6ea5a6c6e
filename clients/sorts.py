# SPDX-License-Identifier: Apache-2.0
"""What one sample is: a row of numbers, an image, a document. A sort checks, stores and names its samples."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from numpy.typing import ArrayLike, NDArray

from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.sorts import SortName
from tailweave.protocols.texts import Texts, documents, packed, unpacked


class DataError(ValueError):
    """Data that cannot be used as asked.

    The message may quote a cell of the data, so it is for the owner of the data only: it must not be sent.
    """


def unnamed(columns: int) -> tuple[str, ...]:
    """Return what columns are called that have no names."""
    return tuple(f"x{column}" for column in range(columns))


class Block(NamedTuple):
    """Encoded columns of which a row sets one, to ``unit``; or at most one, where they are not ``whole``."""

    start: int
    stop: int
    unit: float
    whole: bool


class Sort(Protocol):
    """What all samples of a table, a folder or a corpus have in common."""

    name: ClassVar[SortName]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of what one sample consists of."""
        ...

    @property
    def plain(self) -> bool:
        """Whether samples are a table, and nothing is known of what its numbers mean."""
        ...

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Which columns of a row say which one of several levels it is."""
        ...

    def anonymous(self) -> "Sort":
        """Return the same without names that come from a silo's own file."""
        ...

    def checked(self, values: ArrayLike) -> NDArray[Any]:
        """Return values of n samples as this sort has them; raises ``DataError`` if they are none."""
        ...

    def stored(self, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return values as plain arrays by name, for a file."""
        ...

    def restored(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return what ``stored`` was given; raises ``KeyError`` where a part is missing."""
        ...


@dataclass(frozen=True)
class Numbers:
    """The sort of plain rows of numbers.

    Attributes:
        columns: Names of the columns, p of them.
        hashed: Whether each row is a document as hashed words; see ``hashed_text.py``.
    """

    name: ClassVar[SortName] = "numbers"
    columns: tuple[str, ...]
    hashed: bool = False

    @classmethod
    def unnamed(cls, columns: int) -> Self:
        """Return the sort of rows whose columns have no names."""
        return cls(unnamed(columns))

    def anonymous(self) -> Self:
        """Return the same without the names of the columns, which are cells where a file has no header."""
        return replace(self, columns=unnamed(len(self.columns)))

    @property
    def plain(self) -> bool:
        """Whether samples are a table, and nothing is known of what its numbers mean."""
        return not self.hashed

    @property
    def blocks(self) -> tuple[Block, ...]:
        """None is known."""
        return ()

    def __str__(self) -> str:
        """Say what samples are."""
        return f"{'text in' if self.hashed else 'a table of'} {len(self.columns)} columns"

    def checked(self, values: ArrayLike) -> Floats:
        """Return values (n, p) of this sort; raises ``DataError`` if they are not finite or of another p."""
        try:
            array = matrix(values, "values")
        except ValueError as error:
            raise DataError(str(error)) from error
        if len(self.columns) != array.shape[1]:
            raise DataError(f"columns must name all {array.shape[1]} columns, got {len(self.columns)} names")
        return array

    def stored(self, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the matrix."""
        return {"values": values}

    def restored(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the matrix."""
        return arrays["values"]


@dataclass(frozen=True)
class Images(Numbers):
    """The sort of images, channel by channel and line by line in a row.

    Attributes:
        shape: (channels, height, width) with c h w = p.
    """

    name: ClassVar[SortName] = "image"
    shape: tuple[int, int, int] = (1, 1, 1)

    @property
    def plain(self) -> bool:
        """Images are no table."""
        return False

    def __str__(self) -> str:
        """Say what samples are."""
        return f"images {'x'.join(map(str, self.shape))}"

    def checked(self, values: ArrayLike) -> Floats:
        """As for numbers; raises ``DataError`` if the shape does not fit too."""
        array = super().checked(values)
        if math.prod(self.shape) != array.shape[1]:
            raise DataError(f"image {self.shape} does not fit rows of {array.shape[1]} columns")
        return array


@dataclass(frozen=True)
class Text:
    """The sort of documents: values are strings of Unicode text, shape (n,), each as long as it is."""

    name: ClassVar[SortName] = "text"

    @property
    def columns(self) -> tuple[str, ...]:
        """A document is one thing."""
        return ("text",)

    @property
    def plain(self) -> bool:
        """Documents are no table."""
        return False

    @property
    def blocks(self) -> tuple[Block, ...]:
        """None is known."""
        return ()

    def __str__(self) -> str:
        """Say what samples are."""
        return "documents"

    def anonymous(self) -> Self:
        """There are no names."""
        return self

    def checked(self, values: ArrayLike) -> Texts:
        """Return documents (n,); raises ``DataError`` if there are none, or one is no string."""
        try:
            return documents(values)
        except ValueError as error:
            raise DataError(str(error)) from None

    def stored(self, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the bytes of all documents, and where each ends."""
        return {"values": packed(values.tolist())}

    def restored(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the documents."""
        return documents(unpacked(arrays["values"]))


TEXT = Text()
