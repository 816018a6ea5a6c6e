# SPDX-License-Identifier: Apache-2.0
"""What one sample is: a row of numbers, an image, a document. A sort checks, stores and names its samples."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter

from tailweave.protocols.arrays import Floats, Ints, matrix
from tailweave.protocols.sorts import SortName

if TYPE_CHECKING:  # slow to import, and only what is written needs it
    import pyarrow


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


class Coded(NamedTuple):
    """A column of levels: its name, the level of each of n rows as a number, and what levels are called."""

    name: str
    codes: Ints
    levels: tuple[str, ...]


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

    def described(self) -> dict[str, Any]:
        """Return all that ``from_description`` needs, as JSON can hold it."""
        ...

    @classmethod
    def from_description(cls, parts: Mapping[str, Any]) -> Self:
        """Rebuild a sort without its data; raises ``ValueError`` if parts are missing or wrong."""
        ...

    def coded(self, values: NDArray[Any]) -> Iterator[Coded]:
        """Yield what of each row is one of a few levels."""
        ...

    def tabled(self, values: NDArray[Any]) -> "pyarrow.Table":
        """Return values as columns, in the names, units and types that they were read in."""
        ...

    def worded(self, values: NDArray[Any]) -> "pyarrow.Table":
        """Return columns as ``tabled`` does, with cells as they stand in a file of text."""
        ...

    def stacked(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as the one array that an NPZ has; raises ``DataError`` where one cannot hold them."""
        ...

    def files(self, values: NDArray[Any]) -> tuple[str, Iterator[bytes]]:
        """Return the ending and the content of a file for each; raises ``DataError`` where none has one."""
        ...


@dataclass(frozen=True)
class Numbers:
    """The sort of plain rows of numbers.

    Attributes:
        columns: Names of the columns, p of them.
        hashed: Whether each row is a document as hashed words; see ``hashed_text.py``.
        units: (centre, scale) of each column where values are (x - centre) / scale; None where they are x.
    """

    name: ClassVar[SortName] = "numbers"
    columns: tuple[str, ...]
    hashed: bool = False
    units: tuple[tuple[float, float], ...] | None = None

    @classmethod
    def unnamed(cls, columns: int) -> Self:
        """Return the sort of rows whose columns have no names."""
        return cls(unnamed(columns))

    def anonymous(self) -> Self:
        """Return the same without the names of the columns, which are cells where a file has no header.

        Nor has it units, which may be those of a silo's rows.
        """
        return replace(self, columns=unnamed(len(self.columns)), units=None)

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

    def described(self) -> dict[str, Any]:
        """Return the attributes by name."""
        return asdict(self)

    @classmethod
    def from_description(cls, parts: Mapping[str, Any]) -> Self:
        """Rebuild from the attributes."""
        return TypeAdapter(cls).validate_python(parts)

    def coded(self, values: NDArray[Any]) -> Iterator[Coded]:
        """Nothing is known of levels."""
        return iter(())

    def tabled(self, values: NDArray[Any]) -> "pyarrow.Table":
        """Return the columns, float64."""
        import pyarrow

        return pyarrow.table(dict(zip(self.columns, self._unscaled(values).T, strict=True)))

    def worded(self, values: NDArray[Any]) -> "pyarrow.Table":
        """Return the columns as they are: the writer knows how numbers are written."""
        return self.tabled(values)

    def stacked(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the matrix (n, p)."""
        return self._unscaled(values)

    def files(self, values: NDArray[Any]) -> tuple[str, Iterator[bytes]]:
        """There is none, for a row of numbers is no file of its own: raises ``DataError``."""
        raise DataError(f"{self} is written as one file, not as a folder")

    def _unscaled(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.units is None:
            return values
        centre, scale = np.array(self.units).T  # (p,)
        unscaled: Floats = values * scale + centre
        return unscaled


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

    def stacked(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the images (n, c, h, w), pixels cut off at 0 and 1."""
        images: Floats = np.clip(values, 0.0, 1.0).reshape(-1, *self.shape)
        return images

    def files(self, values: NDArray[Any]) -> tuple[str, Iterator[bytes]]:
        """Return a PNG of each, 8 bits a channel."""
        from tailweave.clients.data.png import png

        return ".png", map(png, self.stacked(values))
