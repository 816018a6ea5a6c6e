# SPDX-License-Identifier: Apache-2.0
"""Columns brought to one scale."""

from dataclasses import replace

import numpy as np

from tailweave.clients.samples import DataError, Numbers, Samples


def standardized(rows: Samples) -> Samples:
    """Return the rows with columns of zero mean and unit (population) variance.

    The statistics are those of the rows given, so this is for simulation, where one process holds all rows.

    Args:
        rows: Rows, n >= 1; a constant column becomes 0 throughout (scale 1).

    Returns:
        The scaled rows; labels and column names are kept, and the units are what to go back by.

    Raises:
        DataError: If a column spans so much or so little that its variance leaves float64.
    """
    values = rows.values
    constant = values.min(axis=0) == values.max(axis=0)  # (p,)
    # The mean of equal numbers may miss them by a rounding error, which unit scale would then let through.
    with np.errstate(over="ignore", invalid="ignore"):  # refused by the next lines
        centre = np.where(constant, values[0], values.mean(axis=0))
        scale = np.where(constant, 1.0, values.std(axis=0))
    bad = ~(np.isfinite(scale) & (scale > 0.0))
    if bad.any():
        column = rows.columns[int(np.argmax(bad))]
        raise DataError(f"column {column!r} must have a standard deviation that float64 can hold: rescale it")
    units = tuple(zip(centre.tolist(), scale.tolist(), strict=True))
    return replace(rows, values=(values - centre) / scale, sort=Numbers(rows.columns, units=units))
