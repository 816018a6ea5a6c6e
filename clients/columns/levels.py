# SPDX-License-Identifier: Apache-2.0
"""Columns of which each cell is one of a few values."""

from collections.abc import Sequence

import numpy as np
import pyarrow as arrow
from pyarrow import compute, types

from tailweave.clients.columns import Bools, Cells
from tailweave.clients.data.cell_numbers import cell_numbers
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.columns.levels import Boolean, Category
from tailweave.protocols.kinds.implementing import implements

_PAIRS = (("false", "true"), ("no", "yes"), ("f", "t"), ("n", "y"), ("0", "1"))
_SHOWN = 10


@implements(Category)
class CategoryColumn:
    """Reads levels as their places among the values, and writes them."""

    @staticmethod
    def read(spec: Category, cells: Cells) -> tuple[Floats, Bools]:
        """Return the place of each cell's level; one that is not declared is bad, and 2.0 is level 2."""
        if spec.values is not None:
            return _places(cells.texts(), spec.values)
        values, bad = cell_numbers(cells.array, decimal=cells.decimal)
        inside = (values >= 0.0) & (values < len(spec.all_levels)) & (values == np.rint(values))
        return values, bad | ~inside

    @staticmethod
    def written(spec: Category, values: Floats) -> arrow.Array:
        """Return text, or 64-bit integers where levels are counted."""
        if spec.values is None:
            return arrow.array(values.astype(np.int64))
        return arrow.array(spec.values, arrow.string()).take(arrow.array(values.astype(np.int64)))

    @staticmethod
    def texts(spec: Category, cells: arrow.Array) -> arrow.Array:
        """Return the levels as text."""
        return cells.cast(arrow.string())

    @staticmethod
    def allowed(spec: Category) -> str:
        """Name the values."""
        if spec.values is None:
            return f"a whole number from 0 to {len(spec.all_levels) - 1}"
        more = f" and {len(spec.values) - _SHOWN} more" if len(spec.values) > _SHOWN else ""
        return f"{', '.join(spec.values[:_SHOWN])}{more}"


@implements(Boolean)
class BooleanColumn:
    """Reads no as 0, yes as 1."""

    @staticmethod
    def read(spec: Boolean, cells: Cells) -> tuple[Floats, Bools]:
        """Return 0 or 1; the usual words in any case, or the two that are given as they are written."""
        if types.is_boolean(cells.array.type):
            flags = cells.array.fill_null(False).to_numpy(zero_copy_only=False)
            return flags.astype(np.float64), np.asarray(cells.array.is_null().to_numpy(), dtype=np.bool_)
        if spec.values is not None:
            return _places(cells.texts(), spec.values)
        words = [word for pair in _PAIRS for word in pair]
        places, bad = _places(compute.utf8_lower(cells.texts()), words)
        return places % 2.0, bad

    @staticmethod
    def written(spec: Boolean, values: Floats) -> arrow.Array:
        """Return truth values."""
        return arrow.array(values != 0.0)

    @staticmethod
    def texts(spec: Boolean, cells: arrow.Array) -> arrow.Array:
        """Return the two words that are declared."""
        no, yes = spec.level_names
        return compute.if_else(cells, yes, no)

    @staticmethod
    def allowed(spec: Boolean) -> str:
        """Name the words."""
        return " or ".join(spec.values) if spec.values else ", ".join("/".join(pair) for pair in _PAIRS)


def _places(texts: arrow.ChunkedArray, levels: Sequence[str]) -> tuple[Floats, Bools]:
    found = compute.index_in(texts, arrow.array(levels, arrow.string()))
    places = found.cast(arrow.float64()).fill_null(-1.0).to_numpy()
    return np.maximum(places, 0.0), places < 0.0
