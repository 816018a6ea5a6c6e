# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers and of whole numbers."""

import math

import numpy as np
import pyarrow as arrow
from pyarrow import types

from tailweave.clients.columns import Bools, Cells
from tailweave.clients.data.cell_numbers import cell_numbers
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.columns.base import FARTHEST
from tailweave.protocols.kinds.columns.numbers import Integer, Number
from tailweave.protocols.kinds.implementing import implements

_EXACT = 2.0**53


@implements(Number, Integer)
class NumberColumn:
    """Reads and writes numbers."""

    @staticmethod
    def read(spec: Number | Integer, cells: Cells) -> tuple[Floats, Bools]:
        """Return the numbers; one so far from the centre that no distance could be had is bad."""
        kind = cells.array.type
        numeric = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        if not (cells.written or numeric or types.is_boolean(kind)):
            return np.zeros(len(cells.array)), np.ones(len(cells.array), dtype=np.bool_)
        values, bad = cell_numbers(cells.array, decimal=cells.decimal)
        axis = spec.axis
        with np.errstate(over="ignore", invalid="ignore"):
            bad = bad | ~(np.abs((values - axis.center) / axis.scale) <= FARTHEST)
            if axis.whole:
                bad = bad | ~((values == np.rint(values)) & (np.abs(values) <= _EXACT))
        return values, bad

    @staticmethod
    def written(spec: Number | Integer, values: Floats) -> arrow.Array:
        """Return 64-bit floats, or 64-bit integers."""
        if not spec.axis.whole:
            return arrow.array(values)
        return arrow.array(np.clip(values, -_EXACT, _EXACT).astype(np.int64))

    @staticmethod
    def texts(spec: Number | Integer, cells: arrow.Array) -> arrow.Array:
        """Return the numbers, with a point before decimals."""
        return cells.cast(arrow.string())

    @staticmethod
    def allowed(spec: Number | Integer) -> str:
        """Say what may stand there."""
        axis = spec.axis
        said = "a whole number" if axis.whole else "a finite number"
        if math.isfinite(axis.low) and math.isfinite(axis.high):
            return f"{said} from {axis.low:.15g} to {axis.high:.15g}"
        if math.isfinite(axis.low):
            return f"{said}, at least {axis.low:.15g}"
        return f"{said}, at most {axis.high:.15g}" if math.isfinite(axis.high) else said
