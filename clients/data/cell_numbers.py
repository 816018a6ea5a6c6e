# SPDX-License-Identifier: Apache-2.0
"""Numbers that are written as text, and numbers of a file's own types, as float64."""

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats

if TYPE_CHECKING:
    import pyarrow

LARGEST = 1e60
"""Numbers beyond are refused: spreads are squares, and their products must be numbers still."""
_POINT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA = _POINT.replace(r"\.", ",")
_NUMBER = re.compile(_POINT)


class CellNumbers(NamedTuple):
    """A column read as numbers.

    Attributes:
        values: Shape (n,); NaN where a cell is none.
        bad: Which cells are no number, not finite or beyond ``LARGEST``, shape (n,).
    """

    values: Floats
    bad: NDArray[np.bool_]


def is_number(text: str) -> bool:
    """Tell whether a text is written as a number, with a point if with any mark."""
    return _NUMBER.match(text) is not None


def is_large(text: str, *, decimal: str = ".") -> bool:
    """Tell whether a text is written as a number beyond ``LARGEST``."""
    if decimal == ",":
        text = "" if "." in text else text.replace(",", ".")
    return is_number(text) and abs(float(text)) > LARGEST


def cell_numbers(column: "pyarrow.ChunkedArray", *, decimal: str = ".") -> CellNumbers:
    """Read a column of text, of numbers or of truth values (0 and 1).

    An underscore or a space within a number, ``nan`` and ``inf`` are no numbers, nor is a number with a point
    where the decimal mark is a comma: there it could part thousands.

    Args:
        column: Text without white space around it, integers, floats, decimals or booleans; of another type
            all cells are bad.
        decimal: Mark before the decimals in text, ``.`` or ``,``.
    """
    from pyarrow import types

    written = types.is_string(column.type)
    plain = (types.is_integer, types.is_floating, types.is_decimal)
    if written:
        cast = _parsed(_with_points(column) if decimal == "," else column)
    elif any(fits(column.type) for fits in plain):
        cast = column.cast("float64", safe=False)  # integers beyond 2^53 become their neighbours
    elif types.is_boolean(column.type):
        cast = column.cast("int8").cast("float64")
    else:
        return CellNumbers(np.full(len(column), np.nan), np.ones(len(column), dtype=np.bool_))
    values: Floats = cast.to_numpy().astype(np.float64, copy=False)
    bad = ~(np.abs(values) <= LARGEST)
    return CellNumbers(np.where(bad, np.nan, values) if bad.any() else values, bad)


def _parsed(texts: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    from pyarrow import ArrowInvalid, compute

    try:
        return texts.cast("float64")
    except ArrowInvalid:  # some cell is none
        fits = compute.match_substring_regex(texts, _POINT)
        return compute.if_else(fits, texts, None).cast("float64")


def _with_points(column: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    from pyarrow import compute

    fits = compute.match_substring_regex(column, _COMMA)
    return compute.if_else(fits, compute.replace_substring(column, ",", "."), "")
