# SPDX-License-Identifier: Apache-2.0
"""A node's own rows: which file or folder its settings name, and how it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from tailweave.clients.data.declared_block import Declared, read_block
from tailweave.clients.data.declared_table import read_declared
from tailweave.clients.data.documents import Document, as_text, read_documents
from tailweave.clients.data.hashed_text import as_hashed_words
from tailweave.clients.data.image_folder import read_image_folder
from tailweave.clients.data.jsonl import is_jsonl, read_jsonl
from tailweave.clients.data.raw_table import Form
from tailweave.clients.data.tables import read_images, read_table
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.sources.base import ImageShape
from tailweave.protocols.kinds.sources.hashed_text import LEAST_TEXT_COLUMNS, MOST_TEXT_COLUMNS
from tailweave.protocols.kinds.sources.image_folder import ImageFolder, Resize
from tailweave.protocols.kinds.sources.jsonl import DEFAULT_TEXT

_IMAGE = re.compile(r"(1|3) *, *([1-9][0-9]{0,3}) *, *([1-9][0-9]{0,3})", re.ASCII)
_NEEDED = (
    "a folder needs image: channels,height,width (images), text: true (.txt files), or text-columns: N (the "
    "same as hashed words)"
)


@dataclass(frozen=True)
class OwnRows:
    """What a node's settings say about its data.

    Attributes:
        path: A table, an NPZ of images, a folder of images, or documents.
        label: Label column of a CSV or Parquet file, array of an NPZ, or key of JSON lines.
        image: (channels, height, width) where rows are images.
        resize: What happens to images of another size in a folder: ``refuse``, ``crop`` or ``stretch``.
        labels: CSV of file and label for a folder of images.
        text_columns: Columns that words are hashed to where rows are documents.
        text_column: Column of a CSV, or key of JSON lines, that holds the documents.
        text: Whether rows are documents as they are.
        columns: A file that says what the columns of a table are: an experiment, or its block ``data``.
    """

    path: Path
    label: str | None = None
    image: ImageShape | None = None
    resize: Resize | None = None
    labels: str | None = None
    text_columns: int | None = None
    text_column: str | None = None
    text: bool = False
    columns: Declared | None = None

    def __post_init__(self) -> None:
        """Check that the settings belong together.

        Raises:
            DataError: Naming a setting that has no place beside the others.
        """
        if self.image is not None and self.text_columns is not None:
            raise DataError("image and text-columns exclude each other: data are images or documents")
        if self.text and self.image is not None:
            raise DataError("image and text exclude each other: data are images or documents")
        if self.text and self.text_columns is not None:
            raise DataError("text and text-columns exclude each other: documents stay text or are hashed")
        if self.text_column is not None and self.text_columns is None and not self.text:
            raise DataError(
                "text-column needs text: true, or text-columns: the number of columns for hashed words"
            )
        if is_jsonl(self.path) and not self.text:
            raise DataError(f"{self.path}: JSON lines are documents, which need text: true")
        self._check_columns()
        for key, value in (("resize", self.resize), ("labels", self.labels)):
            if value is not None and (self.image is None or self.path.suffix.lower() == ".npz"):
                raise DataError(f"{key} is for a folder of images, which needs image, got data {self.path}")

    def _check_columns(self) -> None:
        others = self.text or self.image is not None or self.text_columns is not None
        if self.columns is not None and others:
            raise DataError("columns are of tables: remove columns, or image, text and text-columns")

    def read(self) -> Samples:
        """Read the rows as they stand there, unscaled but for pixels, which become [0, 1].

        Raises:
            DataError: If there is nothing, or anything in it is not allowed.
        """
        if self.text:
            return as_text(self._documents())
        if self.text_columns is not None:
            return as_hashed_words(self._documents(), self.text_columns)
        if self.image is None:
            if self.path.is_dir():
                raise DataError(f"{self.path}: found a directory, allowed: a file; {_NEEDED}")
            if self.columns is not None:
                return read_declared(self.columns.of(self.path, self.label), self.path)
            return read_table(self.path, self.label)
        if self.path.suffix.lower() == ".npz":
            return read_images(self.path, self.label, self.image)
        return self._image_folder(self.image)

    def cells(self) -> Floats:
        """Return cells of a declared table, whatever is declared; see ``raw_cells``."""
        from tailweave.clients.data.raw_cells import raw_cells

        columns = cast(Declared, self.columns)
        spec = columns.of(self.path, self.label)
        return raw_cells(self.path, Form(spec.delimiter, spec.decimal), spec.label)

    def _documents(self) -> list[Document]:
        if is_jsonl(self.path):
            return read_jsonl(self.path, text=self.text_column or DEFAULT_TEXT, group=self.label)
        return read_documents(self.path, column=self.text_column, label=self.label)

    def _image_folder(self, image: ImageShape) -> Samples:
        if self.path.is_file():
            raise DataError(f"{self.path}: image needs data: a folder of images, or an .npz of them")
        if self.label is not None:
            raise DataError(
                f"{self.path}: label is for tables; classes of a folder are its sub-folders, or in labels"
            )
        spec = ImageFolder(
            source="image-folder",
            path=str(self.path),
            image=image,
            resize=self.resize or "refuse",
            labels=self.labels,
        )
        try:
            return read_image_folder(spec)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror or error}") from error


def own_rows(settings: Mapping[str, object]) -> OwnRows:
    """Read from a node's settings where its rows are.

    Args:
        settings: Flower's node-config: ``data``, and as they are needed ``label``, ``image`` (such as
            ``1,8,8``), ``resize``, ``labels``, ``text``, ``text-columns``, ``text-column``, ``columns``;
            other keys are passed over.

    Returns:
        What they say; nothing is opened yet but the file of ``columns``.

    Raises:
        DataError: Naming the setting, what was found and what is allowed.
        ConfigError: If the file of ``columns`` does not declare a table's columns.
    """
    given = {key: str(value) for key, value in settings.items()}
    return OwnRows(
        path=Path(given["data"]),
        label=given.get("label"),
        image=_image(given.get("image")),
        resize=_resize(given.get("resize")),
        labels=given.get("labels"),
        text_columns=_text_columns(given.get("text-columns")),
        text_column=given.get("text-column"),
        text=_text(given.get("text", "false")),
        columns=read_block(Path(given["columns"])) if "columns" in given else None,
    )


def _image(text: str | None) -> ImageShape | None:
    if text is None:
        return None
    sides = _IMAGE.fullmatch(text)
    if sides is None:
        raise DataError(
            f"image must be channels,height,width with 1 or 3 channels, such as 1,8,8, got {text!r}"
        )
    channels, height, width = map(int, sides.groups())
    return cast(Literal[1, 3], channels), height, width


def _resize(text: str | None) -> Resize | None:
    allowed = get_args(Resize)
    if text is not None and text not in allowed:
        raise DataError(f"resize must be {', '.join(allowed[:-1])} or {allowed[-1]}, got {text!r}")
    return cast(Resize | None, text)


def _text(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise DataError(f"text must be true or false, got {text!r}")
    return text.lower() == "true"


def _text_columns(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", text) or not LEAST_TEXT_COLUMNS <= int(text) <= MOST_TEXT_COLUMNS:
        raise DataError(
            f"text-columns must be a whole number, {LEAST_TEXT_COLUMNS} to {MOST_TEXT_COLUMNS}, got {text!r}"
        )
    return int(text)
