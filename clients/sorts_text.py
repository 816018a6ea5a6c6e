# SPDX-License-Identifier: Apache-2.0
"""The sort of documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from numpy.typing import ArrayLike, NDArray

from tailweave.clients.sorts import Block, Coded, DataError
from tailweave.protocols.sorts import SortName
from tailweave.protocols.texts import Texts, documents, packed, unpacked

if TYPE_CHECKING:
    import pyarrow


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

    def coded(self, values: NDArray[Any]) -> Iterator[Coded]:
        """There are no levels."""
        return iter(())

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

    def described(self) -> dict[str, Any]:
        """There is nothing to say."""
        return {}

    @classmethod
    def from_description(cls, parts: Mapping[str, Any]) -> Self:
        """Return the sort."""
        return cls()

    def tabled(self, values: NDArray[Any]) -> "pyarrow.Table":
        """Return one column ``text``."""
        import pyarrow

        return pyarrow.table({"text": values.tolist()})

    def worded(self, values: NDArray[Any]) -> "pyarrow.Table":
        """Return one column ``text``."""
        return self.tabled(values)

    def stacked(self, values: NDArray[Any]) -> NDArray[Any]:
        """Each would take as much room as the longest: raises ``DataError``."""
        raise DataError("documents are written as .jsonl, .csv, .parquet or .feather, or as a folder")

    def files(self, values: NDArray[Any]) -> tuple[str, Iterator[bytes]]:
        """Return the text of each."""
        return ".txt", (str(text).encode() for text in values)


TEXT = Text()
