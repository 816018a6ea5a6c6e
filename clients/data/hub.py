# SPDX-License-Identifier: Apache-2.0
"""Rows of Hugging Face's library ``datasets``, from a local folder or the hub; its code is never run."""

import importlib
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from tailweave.clients.data.cell_numbers import LARGEST
from tailweave.clients.data.documents import Document, as_text
from tailweave.clients.data.image_folder import pixels_of
from tailweave.clients.data.naming import unknown_name
from tailweave.clients.data.scaling import standardized
from tailweave.clients.data.some_rows import some_rows
from tailweave.clients.samples import DataError, Images, Numbers, Samples, unnamed
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.hub import Hub

_SAVED = ("dataset_info.json", "dataset_dict.json")
"""What a folder holds that the library itself wrote."""
_FEWEST = 2


@implements(Hub)
def load(spec: Hub, *, seed: int) -> Samples | tuple[Samples, Samples]:
    """Read a split, or two of which the second is held out.

    Raises:
        DataError: If the library is not installed, there is no such data set, split or column, or a row does
            not fit.
    """
    library = _library()
    train = _samples(library, spec, spec.split, (spec.rows, "rows"), seed)
    if spec.evaluation_split is None:
        return standardized(train) if spec.scaled_to_truth else train
    test = _samples(library, spec, spec.evaluation_split, (spec.evaluation_rows, "evaluation-rows"), seed)
    if not spec.scaled_to_truth:
        return train, test
    both = standardized(Samples.joined([train, test]))
    return both.take(np.arange(len(train))), both.take(np.arange(len(train), len(both)))


def _library() -> Any:  # noqa: ANN401 - an extra
    try:
        return importlib.import_module("datasets")
    except ModuleNotFoundError as error:
        raise DataError(
            f"source: hub needs {error.name}, which is not installed: pip install 'tailweave[hub]'"
        ) from None


def _samples(library: Any, spec: Hub, split: str, wanted: tuple[int | None, str], seed: int) -> Samples:  # noqa: ANN401 - as above
    where = f"{spec.path}, split {split}"
    found = _split(library, spec, split)
    names = [*spec.sample_columns, *([spec.label] if spec.label else [])]
    for name in names:
        if name not in found.column_names:
            raise DataError(f"{where}: {unknown_name('column', name, list(found.column_names))}")
    if len(found) < _FEWEST:
        raise DataError(f"{where}: expected at least {_FEWEST} rows, found {len(found)}")
    classes = getattr(found.features[spec.label], "names", None) if spec.label else None
    if spec.image_column is not None:  # bytes as they lie there: our own reader of images goes by its bounds
        try:
            found = found.cast_column(spec.image_column, library.Image(decode=False))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"{where}, column {spec.image_column!r}: holds no images: {_brief(error)}"
            ) from None
    chosen = found.select_columns(names).select(some_rows(len(found), *wanted, seed))
    cells: dict[str, list[Any]] = chosen.to_dict()
    labels = None if spec.label is None else _labels(where, spec.label, cells[spec.label], classes)
    if spec.image_column is not None:
        return _images(where, spec, cells[spec.image_column], labels)
    if spec.text_column is not None:
        return _texts(where, spec.text_column, cells[spec.text_column], labels)
    columns = [_numbers(where, name, cells[name]) for name in spec.columns]
    return Samples.of(np.column_stack(columns), labels, Numbers(spec.columns))


def _split(library: Any, spec: Hub, split: str) -> Any:  # noqa: ANN401 - as above
    """Open one split; the library raises whatever its readers and the network do."""
    folder = Path(spec.path).expanduser()
    try:
        if any((folder / name).is_file() for name in _SAVED):
            saved = library.load_from_disk(str(folder))
            if not isinstance(saved, dict):
                return saved
            if split not in saved:
                raise DataError(f"{folder}: {unknown_name('split', split, list(saved))}")
            return saved[split]
        return library.load_dataset(spec.path, spec.configuration, split=split)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{spec.path}, split {split}: cannot be loaded: {_brief(error)}") from error


def _labels(where: str, column: str, cells: list[Any], classes: list[str] | None) -> list[str]:
    """Return classes as text: by their names where the data set names them."""
    found = []
    for row, cell in enumerate(cells):
        if classes is not None and isinstance(cell, int) and 0 <= cell < len(classes):
            found.append(str(classes[cell]))
        elif classes is None and isinstance(cell, (str, int)) and str(cell):
            found.append(str(cell))
        else:
            raise DataError(
                f"{where}, row {row}, column {column!r}: found {cell!r:.60}, allowed: a class, as text or a "
                "whole number"
            )
    return found


def _images(where: str, spec: Hub, cells: list[Any], labels: list[str] | None) -> Samples:
    image = spec.image or (1, 1, 1)
    values = np.empty((len(cells), math.prod(image)))
    for row, cell in enumerate(cells):
        called = f"{where}, row {row}"
        found = cell if isinstance(cell, dict) else {}
        content, place = found.get("bytes"), found.get("path")
        if content is None and not place:
            raise DataError(f"{called}, column {spec.image_column!r}: found {cell!r:.60}, allowed: an image")
        source = Path(str(place)) if content is None else io.BytesIO(content)
        values[row] = pixels_of(called, source, image, spec.resize)
    return Samples.of(values, labels, Images(unnamed(values.shape[1]), shape=image))


def _texts(where: str, column: str, cells: list[Any], labels: list[str] | None) -> Samples:
    documents = []
    for row, cell in enumerate(cells):
        called = f"{where}, row {row}"
        if not isinstance(cell, str):
            raise DataError(f"{called}, column {column!r}: found {cell!r:.60}, allowed: text")
        documents.append(Document(called, cell, labels[row] if labels is not None else None))
    return as_text(documents)


def _numbers(where: str, column: str, cells: list[Any]) -> list[float]:
    for row, cell in enumerate(cells):
        if not isinstance(cell, (int, float)) or not abs(cell) <= LARGEST:
            raise DataError(
                f"{where}, row {row}, column {column!r}: found {cell!r:.60}, allowed: a number up to "
                f"{LARGEST:g}"
            )
    return [float(cell) for cell in cells]


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
