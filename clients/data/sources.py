# SPDX-License-Identifier: Apache-2.0
"""The truth of a simulation: every row that a data spec stands for."""

from pathlib import Path
from typing import Any

import numpy as np

from tailweave.clients.data.cifar10 import TEST, TRAIN, read_cifar10
from tailweave.clients.data.documents import read_documents
from tailweave.clients.data.image_folder import read_image_folder
from tailweave.clients.data.modes import gaussian_modes, sample_modes
from tailweave.clients.data.rows import DataError, Rows
from tailweave.clients.data.scaling import standardized
from tailweave.clients.data.tables import read_images, read_table
from tailweave.protocols.config.data import (
    DIGITS_IMAGE,
    BundledData,
    Cifar10,
    DataSpec,
    GaussianModes,
    ImageFolder,
    TableData,
    TextData,
)
from tailweave.protocols.streams import stream

_DIGITS_WHITE = 16.0
"""Pixels of the digits are counts of dark points in 4 x 4 blocks, 0 to 16."""


def load_rows(spec: DataSpec, *, seed: int) -> Rows:
    """Load all rows, scaled as the spec says.

    Args:
        spec: Where the rows come from.
        seed: Root seed of the run; ``gaussian-modes`` draws from it, and ``cifar10`` where ``rows`` is set.

    Returns:
        The rows: ``digits`` and images in [0, 1]; ``breast-cancer``, ``wine`` and standardized tables with
        zero mean and unit variance over all rows; ``gaussian-modes`` in within-mode standard deviations;
        documents as rows of length 1.

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
        case ImageFolder():
            return read_image_folder(spec)
        case TextData():
            return read_documents(spec.path, spec.columns, column=spec.text_column, label=spec.label)
        case Cifar10():
            return _some(read_cifar10(spec.path, TRAIN), spec.rows, "rows", seed)


def load_evaluation(spec: Cifar10, *, seed: int) -> Rows:
    """Load the rows that the data's own authors hold out.

    Args:
        spec: CIFAR-10, which has a test batch.
        seed: Root seed of the run, which chooses where ``evaluation-rows`` is set.

    Returns:
        The rows, scaled as those of ``load_rows``.

    Raises:
        DataError: If they cannot be read, or are fewer than asked for.
    """
    return _some(read_cifar10(spec.path, TEST), spec.evaluation_rows, "evaluation-rows", seed)


def _some(rows: Rows, count: int | None, key: str, seed: int) -> Rows:
    if count is None:
        return rows
    if count > len(rows):
        raise DataError(f"data.{key} must be at most the {len(rows)} images that there are, got {count}")
    return rows.take(np.sort(stream(seed, "data", key).choice(len(rows), count, replace=False)))


def _bundled(spec: BundledData) -> Rows:
    from sklearn import datasets  # slow to import, and a node reads no bundled set

    loaders = {
        "digits": datasets.load_digits,
        "breast-cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
    }
    bundle: Any = loaders[spec.source]()
    values = np.asarray(bundle.data, dtype=np.float64)
    labels = bundle.target_names[bundle.target].astype(np.str_)
    columns = tuple(str(name) for name in bundle.feature_names)
    if spec.source == "digits":
        return Rows(values / _DIGITS_WHITE, labels, columns, DIGITS_IMAGE)
    return standardized(Rows(values, labels, columns))


def _table(spec: TableData) -> Rows:
    if Path(spec.path).suffix.lower() != f".{spec.source}":
        raise DataError(f"source: {spec.source} needs a path that ends in .{spec.source}, got {spec.path}")
    if spec.image is not None:
        return read_images(spec.path, spec.label, spec.image)
    rows = read_table(spec.path, spec.label)
    return standardized(rows) if spec.standardize else rows
