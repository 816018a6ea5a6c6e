# SPDX-License-Identifier: Apache-2.0
"""A node's own rows: which file or folder its settings name, and how it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from tailweave.clients.data.documents import read_documents
from tailweave.clients.data.image_folder import read_image_folder
from tailweave.clients.data.tables import read_images, read_table
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.sources.base import ImageShape
from tailweave.protocols.kinds.sources.hashed_text import LEAST_TEXT_COLUMNS, MOST_TEXT_COLUMNS
from tailweave.protocols.kinds.sources.image_folder import ImageFolder, Resize

_IMAGE = re.compile(r"(1|3) *, *([1-9][0-9]{0,3}) *, *([1-9][0-9]{0,3})", re.ASCII)
_NEEDED = "a folder needs image: channels,height,width (images) or text-columns: N (.txt files)"


@dataclass(frozen=True)
class OwnRows:
    """What a node's settings say about its data.

    Attributes:
        path: A table, an NPZ of images, a folder of images, or documents.
        label: Label column of a CSV or Parquet file, or array of an NPZ.
        image: (channels, height, width) where rows are images.
        resize: What happens to images of another size in a folder: ``refuse``, ``crop`` or ``stretch``.
        labels: CSV of file and label for a folder of images.
        text_columns: Columns that words are hashed to where rows are documents.
        text_column: Column of a CSV that holds the documents.
    """

    path: Path
    label: str | None = None
    image: ImageShape | None = None
    resize: Resize | None = None
    labels: str | None = None
    text_columns: int | None = None
    text_column: str | None = None

    def __post_init__(self) -> None:
        """Check that the settings belong together.

        Raises:
            DataError: Naming a setting that has no place beside the others.
        """
        if self.image is not None and self.text_columns is not None:
            raise DataError("image and text-columns exclude each other: data are images or documents")
        if self.text_column is not None and self.text_columns is None:
            raise DataError("text-column needs text-columns, the number of columns that words are hashed to")
        for key, value in (("resize", self.resize), ("labels", self.labels)):
            if value is not None and (self.image is None or self.path.suffix.lower() == ".npz"):
                raise DataError(f"{key} is for a folder of images, which needs image, got data {self.path}")

    def read(self) -> Samples:
        """Read the rows as they stand there, unscaled but for pixels, which become [0, 1].

        Raises:
            DataError: If there is nothing, or anything in it is not allowed.
        """
        if self.text_columns is not None:
            return read_documents(self.path, self.text_columns, column=self.text_column, label=self.label)
        if self.image is None:
            if self.path.is_dir():
                raise DataError(f"{self.path}: found a directory, allowed: a file; {_NEEDED}")
            return read_table(self.path, self.label)
        if self.path.suffix.lower() == ".npz":
            return read_images(self.path, self.label, self.image)
        return self._image_folder(self.image)

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
            ``1,8,8``), ``resize``, ``labels``, ``text-columns``, ``text-column``; other keys are passed over.

    Returns:
        What they say; nothing is opened yet.

    Raises:
        DataError: Naming the setting, what was found and what is allowed.
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


def _text_columns(text: str | None) -> int | None:
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,5}", text) or not LEAST_TEXT_COLUMNS <= int(text) <= MOST_TEXT_COLUMNS:
        raise DataError(
            f"text-columns must be a whole number, {LEAST_TEXT_COLUMNS} to {MOST_TEXT_COLUMNS}, got {text!r}"
        )
    return int(text)
