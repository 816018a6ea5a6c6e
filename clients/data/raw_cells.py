# SPDX-License-Identifier: Apache-2.0
"""Cells of a table file as numbers, whatever is declared of them: by these a data set is known again."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as arrow
from pyarrow import compute, types

from tailweave.clients.data.cell_numbers import cell_numbers
from tailweave.clients.data.raw_table import Form, raw_schema, read_raw
from tailweave.protocols.arrays import Floats

_FAR = 2.0**100
"""Texts stand where no measurement does: at multiples of this."""


def raw_cells(path: Path, form: Form, label: str | None) -> Floats:
    """Read all columns but the label's, those that a declaration ignores too.

    Whoever writes the declaration is not the rows' owner: if units, levels or what is ignored changed these
    numbers, each new declaration would be a fresh budget.

    Args:
        path: A table file.
        form: How a CSV is written.
        label: The column of labels, which is no part of a row elsewhere either.

    Returns:
        Shape (n, p): numbers as they are written, and for any other cell a number that is its text's alone.

    Raises:
        DataError: If the file cannot be read.
    """
    schema = raw_schema(path, delimiter=form.delimiter)
    names = [one.name for one in schema if one.name != label and not types.is_nested(one.type)]
    table = read_raw(path, delimiter=form.delimiter, decimal=form.decimal, columns=names)
    return np.column_stack([_numbers(table.column(name), form.decimal) for name in names])


def _numbers(column: arrow.ChunkedArray, decimal: str) -> Floats:
    read = cell_numbers(column, decimal=decimal)
    if not read.bad.any():
        return read.values
    texts = compute.fill_null(column.filter(arrow.array(read.bad)).cast(arrow.string()), "")
    coded = texts.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, arrow.ChunkedArray) else coded
    places = np.array([_place(text) for text in coded.dictionary.to_pylist()])
    found = read.values.copy()
    found[read.bad] = places[coded.indices.to_numpy()]
    return found


def _place(text: str) -> float:
    digest = hashlib.blake2b(text.encode(), digest_size=6).digest()
    return float(int.from_bytes(digest, "little") + 1) * _FAR
