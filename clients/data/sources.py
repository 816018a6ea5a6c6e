# SPDX-License-Identifier: Apache-2.0
"""The truth of a simulation: every row that a data spec stands for."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets

from clients.data.modes import gaussian_modes, sample_modes
from clients.data.rows import DataError, Rows
from clients.data.scaling import standardized
from clients.data.tables import read_table
from protocols.config.data import BundledData, DataSpec, GaussianModes, TableData
from protocols.streams import stream

_LOADERS = {
    "digits": datasets.load_digits,
    "breast-cancer": datasets.load_breast_cancer,
    "wine": datasets.load_wine,
}
_DIGITS_WHITE = 16.0
"""Pixels of the digits are counts of dark points in 4 x 4 blocks, 0 to 16."""


def load_rows(spec: DataSpec, *, seed: int) -> Rows:
    """Load all rows, scaled as the spec says.

    Args:
        spec: Where the rows come from.
        seed: Root seed of the run; only ``gaussian-modes`` draws from it.

    Returns:
        The rows: ``digits`` in [0, 1]; ``breast-cancer``, ``wine`` and standardized tables with zero mean
        and unit variance over all rows; ``gaussian-modes`` in within-mode standard deviations.

    Raises:
        DataError: If a table cannot be read or a spec asks for the impossible.
    """
    match spec:
        case BundledData():
            return _bundled(spec)
        case GaussianModes():
            return sample_modes(gaussian_modes(spec), spec.rows, rng=stream(seed, "data", "rows"))
        case TableData():
            return _table(spec)


def _bundled(spec: BundledData) -> Rows:
    bundle: Any = _LOADERS[spec.source]()
    values = np.asarray(bundle.data, dtype=np.float64)
    labels = bundle.target_names[bundle.target].astype(np.str_)
    columns = tuple(str(name) for name in bundle.feature_names)
    if spec.source == "digits":
        return Rows(values / _DIGITS_WHITE, labels, columns)
    return standardized(Rows(values, labels, columns))


def _table(spec: TableData) -> Rows:
    if Path(spec.path).suffix.lower() != f".{spec.source}":
        raise DataError(f"source: {spec.source} needs a path that ends in .{spec.source}, got {spec.path}")
    rows = read_table(spec.path, spec.label)
    return standardized(rows) if spec.standardize else rows
