# SPDX-License-Identifier: Apache-2.0
"""Parquet and Feather files as tables of their own types, no larger than is reasonable for their length."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tailweave.clients.samples import DataError
from tailweave.protocols.npz import GIB, LITTLE_BYTES, MOST_BYTES

if TYPE_CHECKING:
    import pyarrow

_MOST_RATIO = 1000
"""Bytes of memory for a byte of the file; flags of which one in a hundred is set reach a few hundred."""


class ArrowForm(NamedTuple):
    """How one form of file is read: its schema, and some of its columns."""

    schema: Callable[[Path], "pyarrow.Schema"]
    table: Callable[[Path, Sequence[str]], "pyarrow.Table"]


def arrow_schema(path: Path, form: ArrowForm, keep: Sequence[str]) -> "pyarrow.Schema":
    """Return names and types of the columns, without a data frame's row names, as pandas notes them.

    Row names that are among ``keep`` stay: a user who names them knows better. Text is ``string``.

    Raises:
        DataError: If the file cannot be read, or two columns have one name.
    """
    import pyarrow

    with _told(path):
        schema = form.schema(path)
        index = index_names(schema) - set(keep)
    fields = [field for field in schema if field.name not in index]
    names = [field.name for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{path}: column names must differ, found twice: {', '.join(twice)}")
    texts = pyarrow.string()
    return pyarrow.schema([(field.name, texts if is_text(field.type) else field.type) for field in fields])


def read_arrow(path: Path, form: ArrowForm, columns: Sequence[str]) -> "pyarrow.Table":
    """Read columns of a file, in the order that they are asked for.

    Text is of type ``string`` whatever it was in the file: long, viewed, or a dictionary's.

    Raises:
        DataError: If it cannot be read, has no rows, or unfolds to more than fits.
    """
    with _told(path):
        table = form.table(path, columns)
        if table.num_rows == 0:
            raise DataError(f"{path}: there are no rows")
        plain = [_plain(path, table.column(name)) for name in columns]
    return type(table).from_arrays(plain, names=list(columns))


def check_unfolded(path: Path, unfolded: int, what: str) -> None:
    """Refuse what grows beyond measure: a Parquet file stores a billion equal numbers in a few bytes.

    Raises:
        DataError: If there are many bytes, or too many for those in the file.
    """
    packed = path.stat().st_size
    if unfolded > MOST_BYTES or (unfolded > LITTLE_BYTES and unfolded > _MOST_RATIO * packed):
        raise DataError(
            f"{path}: found {what}, {unfolded} bytes in {packed}, allowed: at most "
            f"{MOST_BYTES // GIB} GiB, and above {LITTLE_BYTES // 2**20} MiB at most {_MOST_RATIO} times the "
            "file; write it as CSV"
        )


def index_names(schema: "pyarrow.Schema") -> set[str]:
    """Return the columns that are row names and no features, as pandas notes them beside a schema."""
    noted = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    return {name for name in noted.get("index_columns", []) if isinstance(name, str)}


def is_text(kind: "pyarrow.DataType") -> bool:
    """Tell whether a type is text, also as the values of a dictionary."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return any(fits(kind) for fits in (types.is_string, types.is_large_string, types.is_string_view))


def plain(column: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """Return a column without a dictionary, and text as ``string``."""
    import pyarrow
    from pyarrow import types

    kind = pyarrow.string() if is_text(column.type) else column.type
    if not types.is_dictionary(column.type):
        return column.cast(kind)
    if not is_text(column.type):
        kind = column.type.value_type
    # pyarrow casts no dictionary of viewed text, as polars has them.
    return pyarrow.chunked_array([one.dictionary.cast(kind).take(one.indices) for one in column.chunks], kind)


def _plain(path: Path, column: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """Return a plain column; of a dictionary's text the length is counted before it is written out."""
    from pyarrow import types

    if types.is_dictionary(column.type) and is_text(column.type):
        size = sum(_size(chunk) for chunk in column.chunks)
        check_unfolded(path, size, f"text of {size} bytes")
    return plain(column)


def _size(chunk: "pyarrow.DictionaryArray") -> int:
    from pyarrow import compute

    lengths = compute.binary_length(chunk.dictionary)
    return compute.sum(lengths.take(chunk.indices)).as_py() or 0


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in one sentence what pyarrow, or the reader of pandas' notes, could not do."""
    from pyarrow import ArrowException

    try:
        yield
    except DataError:
        raise
    except (ArrowException, OSError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def _parquet_schema(path: Path) -> "pyarrow.Schema":
    from pyarrow import parquet

    return parquet.read_schema(path)


def _parquet_table(path: Path, columns: Sequence[str]) -> "pyarrow.Table":
    """Read with texts as dictionaries: each stands there once, however often it is repeated."""
    from pyarrow import parquet

    texts = [field.name for field in parquet.read_schema(path) if is_text(field.type)]
    file = parquet.ParquetFile(path, read_dictionary=texts)
    rows = file.metadata.num_rows
    check_unfolded(path, rows * len(columns) * 8, f"{rows} rows of {len(columns)} columns")
    said = sum(file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups))
    check_unfolded(path, said, f"{said} bytes of values")
    return file.read(columns=list(columns))


def _feather_schema(path: Path) -> "pyarrow.Schema":
    from pyarrow import ipc

    with ipc.open_file(path) as file:
        return file.schema


def _feather_table(path: Path, columns: Sequence[str]) -> "pyarrow.Table":
    """Read batch by batch, so that what unfolds too far is seen before all of it is there."""
    import pyarrow
    from pyarrow import ipc

    with pyarrow.OSFile(str(path)) as source, ipc.open_file(source) as whole:
        places = [whole.schema.get_field_index(name) for name in columns]
    options = ipc.IpcReadOptions(included_fields=sorted(places), use_threads=False)
    batches, size = [], 0
    with pyarrow.OSFile(str(path)) as source, ipc.open_file(source, options=options) as file:
        for at in range(file.num_record_batches):
            batches.append(file.get_batch(at))
            size += batches[-1].nbytes
            check_unfolded(path, size, f"{at + 1} parts")
        return pyarrow.Table.from_batches(batches, file.schema).select(list(columns))


PARQUET = ArrowForm(_parquet_schema, _parquet_table)
FEATHER = ArrowForm(_feather_schema, _feather_table)
