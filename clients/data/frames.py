# SPDX-License-Identifier: Apache-2.0
"""Data frames of any library that exports Arrow data, such as pandas and polars."""

from typing import TYPE_CHECKING, Any

from tailweave.clients.data.arrow_file import index_names, plain
from tailweave.clients.samples import DataError

if TYPE_CHECKING:
    import pyarrow


def is_frame(values: object) -> bool:
    """Tell whether something is a table with names of columns, and no array or column of one."""
    return hasattr(values, "__dataframe__") or (
        hasattr(values, "__arrow_c_stream__") and hasattr(values, "columns")
    )


def frame_table(frame: Any, called: str) -> "pyarrow.Table":  # noqa: ANN401 - of any library
    """Return a frame's columns with their types, text as ``string``, without the row names of pandas.

    Args:
        frame: What ``is_frame`` says yes to.
        called: What the caller calls it, for messages.

    Raises:
        DataError: If it cannot be read, or two columns have one name.
    """
    import pyarrow
    from pyarrow import interchange

    try:
        exports = hasattr(frame, "__arrow_c_stream__")
        table = pyarrow.table(frame) if exports else interchange.from_dataframe(frame)
    except (pyarrow.ArrowException, NotImplementedError, TypeError, ValueError) as error:
        raise DataError(f"{called}: this data frame cannot be read: {' '.join(str(error).split())}") from None
    names = [name for name in table.column_names if name not in index_names(table.schema)]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"{called}: column names must differ, found twice: {', '.join(twice)}")
    return type(table).from_arrays([plain(table.column(name)) for name in names], names=names)
