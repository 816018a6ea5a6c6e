# SPDX-License-Identifier: Apache-2.0
"""The user's own table."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from tailweave.protocols.config.columns import Columns, complaints, digest_of, features_of
from tailweave.protocols.kinds.columns.base import Cell
from tailweave.protocols.kinds.sources.base import FileName, ImageShape, SourceKind
from tailweave.protocols.sorts import SortName

_ENDINGS = {
    "csv": (".csv", ".csv.gz", ".tsv", ".tsv.gz"),
    "feather": (".feather",),
    "npz": (".npz",),
    "parquet": (".parquet",),
}


def source_of(path: Path) -> str:
    """Return the source that reads a file of this name; one of another ending is none of any."""
    return next((name for name, ends in _ENDINGS.items() if path.name.lower().endswith(ends)), "csv")


def _mark(raw: object) -> object:
    return "\t" if raw == "tab" else raw


Silo = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Delimiter = Annotated[str, BeforeValidator(_mark), Field(pattern=r"^[\t !#-/:-@\[-`{-~]$")]
"""One ASCII character that is no letter, digit or quote; ``tab`` in YAML."""


class TableData(SourceKind):
    """The user's own rows: CSV with a header line, Parquet, Feather, or NPZ arrays ``x`` and, if any, ``y``.

    ``delimiter`` (one character, or tab; a .tsv has tabs) and ``decimal`` say how a CSV is written, ``array``
    what the rows are called in an NPZ. ``image`` (NPZ only) says that each row is an image: [channels,
    height, width]. Images are not standardized; whole numbers 0 to 255 become [0, 1].

    ``path`` may be a mapping from silo to file, for ``partition: by-file``; the files have the same columns.

    ``columns`` (CSV, Parquet, Feather) says what each column is, by its name; see ``tailweave list``. They
    bring their own units, so such a table is not standardized either. ``missing`` are the cells that mean
    missing in columns that say ``optional: true``.
    """

    source: Literal["csv", "feather", "npz", "parquet"]
    path: FileName | Annotated[dict[Silo, FileName], Field(min_length=1)]
    label: str | None = None
    delimiter: Delimiter = ","
    decimal: Literal[".", ","] = "."
    array: Annotated[str, Field(min_length=1)] | None = None
    image: ImageShape | None = None
    standardize: bool = True
    columns: Columns | None = None
    missing: tuple[Cell, ...] = ("",)
    implemented_in: ClassVar = "tables"

    @model_validator(mode="before")
    @classmethod
    def _own_units_stay(cls, raw: object) -> object:
        if isinstance(raw, dict) and (raw.get("image") is not None or raw.get("columns") is not None):
            return {"standardize": False, **raw}
        return raw

    @model_validator(mode="after")
    def _images_fit(self) -> Self:
        if self.image is not None and self.source != "npz":
            raise ValueError(f"image needs source: npz or image-folder, got {self.source}")
        if self.image is not None and self.standardize:
            raise ValueError("images are not standardized: remove standardize, or image")
        return self

    @model_validator(mode="after")
    def _file_fits(self) -> Self:
        endings = _ENDINGS[self.source]
        for path in self.files.values():
            if not path.lower().endswith(endings):
                raise ValueError(
                    f"source: {self.source} needs a path that ends in {' or '.join(endings)}, got {path}"
                )
        if self.array is not None and self.source != "npz":
            raise ValueError(f"array is for source: npz, got {self.source}")
        if self.delimiter == self.decimal:
            raise ValueError(f"delimiter and decimal must differ, got {self.delimiter!r} for both")
        return self

    @model_validator(mode="after")
    def _columns_fit(self) -> Self:
        if self.columns is None:
            return self
        wrong = list(complaints(self.columns, self.label, self.missing))
        if self.source == "npz":
            wrong.append("columns needs source: csv, parquet or feather: arrays of an NPZ have no names")
        if self.standardize:
            wrong.append("columns bring their own units: remove standardize, or columns")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @property
    def files(self) -> dict[str, str]:
        """The files by silo; one for all has no name."""
        return self.path if isinstance(self.path, dict) else {"": self.path}

    def anchored(self, folder: Path) -> Self:
        """Return the same with relative paths taken from ``folder``, that of the experiment."""
        if not isinstance(self.path, dict):
            return super().anchored(folder)
        moved = {silo: str((folder / Path(path).expanduser()).resolve()) for silo, path in self.path.items()}
        return self.model_copy(update={"path": moved})

    def __hash__(self) -> int:
        """Hash of what tells tables apart, so that worlds can be cached: a mapping has no hash of its own."""
        return hash((self.source, *self.files.items(), self.label, tuple(self.columns or ())))

    @property
    def gives(self) -> SortName:
        """A table where columns are declared."""
        return super().gives if self.columns is None else "table"

    @property
    def declared_digest(self) -> str | None:
        """As given."""
        return None if self.columns is None else digest_of(features_of(self.columns, self.label))

    @property
    def image_shape(self) -> ImageShape | None:
        """As given."""
        return self.image

    @property
    def columns_named(self) -> bool:
        """Columns of an NPZ have no names."""
        return self.source != "npz"

    @property
    def label_column(self) -> str | None:
        """As given."""
        return self.label

    @property
    def scaled_to_truth(self) -> bool:
        """As given."""
        return self.standardize
