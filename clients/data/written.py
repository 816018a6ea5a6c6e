# SPDX-License-Identifier: Apache-2.0
"""Samples as files that others read: a table, an NPZ, lines of JSON, or a folder of images or documents."""

import gzip
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.whole_file import sync_folder, write_whole

if TYPE_CHECKING:
    import pyarrow

FOLDER = ""
_TAKEN = ("x", "file", "allow_pickle")
"""The array of values, and what NumPy's own writer calls its arguments."""


def ending_of(path: Path) -> str:
    """Return what decides how samples are written: one of ``WRITERS``, or ``FOLDER`` for a name without one.

    Raises:
        ValueError: If the name ends in something else.
    """
    name = path.name.lower()
    found = next((ending for ending in WRITERS if name.endswith(ending)), None)
    if found is None and path.suffix:
        raise ValueError(
            f"{path}: the name must end in {', '.join(WRITERS)}, or have no ending for a folder of images or "
            f"documents, found {path.suffix}"
        )
    return found or FOLDER


def write_samples(samples: Samples, path: Path, label: str) -> None:
    """Write samples in the columns, units and types that they were read in, whole or not at all.

    Equal samples give equal bytes, with the same versions of the libraries that write them.

    Args:
        samples: What is written; labels stand in a column, an array or a key of their own, or name
            sub-folders.
        path: A file, which is replaced, or a folder that is not there; see ``ending_of``.
        label: What the labels are called.

    Raises:
        ValueError: If samples of this sort cannot be written so.
    """
    ending = ending_of(path)
    if ending == FOLDER:
        _write_folder(samples, path)
    else:
        write_whole(path, WRITERS[ending](samples, label))


def _table(samples: Samples, label: str) -> "pyarrow.Table":
    return _with_labels(samples.sort.tabled(samples.values), samples, label)


def _with_labels(table: "pyarrow.Table", samples: Samples, label: str) -> "pyarrow.Table":
    import pyarrow

    if samples.labels is None:
        return table
    if label in table.column_names:
        raise DataError(f"a column is called {label!r} as the labels are: name the labels otherwise")
    return table.append_column(label, pyarrow.array(samples.labels.tolist()))


def _csv(samples: Samples, label: str) -> bytes:
    from pyarrow import csv

    content = io.BytesIO()
    csv.write_csv(_with_labels(samples.sort.worded(samples.values), samples, label), content)
    return content.getvalue()


def _csv_gz(samples: Samples, label: str) -> bytes:
    return gzip.compress(_csv(samples, label), mtime=0)  # a time of day would make each file another


def _parquet(samples: Samples, label: str) -> bytes:
    from pyarrow import parquet

    content = io.BytesIO()
    parquet.write_table(_table(samples, label), content)
    return content.getvalue()


def _feather(samples: Samples, label: str) -> bytes:
    from pyarrow import feather

    content = io.BytesIO()
    feather.write_feather(_table(samples, label), content, compression="lz4")
    return content.getvalue()


def _npz(samples: Samples, label: str) -> bytes:
    if label in _TAKEN and samples.labels is not None:
        raise DataError(f"an NPZ cannot call its labels {label!r}: name the labels otherwise")
    content = io.BytesIO()
    named = {} if samples.labels is None else {label: samples.labels}
    np.savez(content, allow_pickle=False, x=samples.sort.stacked(samples.values), **named)
    return content.getvalue()


def _jsonl(samples: Samples, label: str) -> bytes:
    rows = _table(samples, label).to_pylist()
    return "".join(json.dumps(row, ensure_ascii=False, default=_told) + "\n" for row in rows).encode()


def _told(value: Any) -> str:  # noqa: ANN401 - what JSON has no word for
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"JSON lines have no {type(value).__name__}")


WRITERS: dict[str, Callable[[Samples, str], bytes]] = {
    ".csv": _csv,
    ".csv.gz": _csv_gz,
    ".parquet": _parquet,
    ".feather": _feather,
    ".npz": _npz,
    ".jsonl": _jsonl,
}
"""Endings of files, and what makes the content of each."""


def _write_folder(samples: Samples, folder: Path) -> None:
    """Fill a folder beside the one wanted, then give it the name: nobody finds half of it."""
    ending, contents = samples.sort.files(samples.values)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.part")
    digits = len(str(len(samples) - 1))
    try:
        for number, content in enumerate(contents):
            home = part if samples.labels is None else part / _folder_name(str(samples.labels[number]))
            home.mkdir(parents=True, exist_ok=True)
            (home / f"{number:0{digits}}{ending}").write_bytes(content)
        os.replace(part, folder)  # an empty folder may be there
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(folder.parent)


def _folder_name(label: str) -> str:
    if label in ("", ".", "..") or "/" in label or "\0" in label:
        raise DataError(f"label {label[:60]!r} cannot name a folder: write a file instead")
    return label
