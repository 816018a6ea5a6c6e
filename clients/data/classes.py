# SPDX-License-Identifier: Apache-2.0
"""The classes of labelled rows, in the order a person would list them."""

import re

from tailweave.clients.samples import UNLABELLED, DataError, Samples


def natural(label: str) -> tuple[list[str | int], str]:
    """Return a key that puts ``"2"`` before ``"10"``."""
    # Splitting on a captured group alternates text and digits, so equal positions have equal types.
    parts = re.split(r"([0-9]+)", label)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], label


def classes_of(rows: Samples, needed_by: str) -> tuple[str, ...]:
    """Return the different labels in natural order: ``"2"`` before ``"10"``.

    Args:
        rows: Labelled rows.
        needed_by: The config key that needs labels, for the message.

    Returns:
        The K different labels.

    Raises:
        DataError: If the rows have no labels.
    """
    if rows.labels is None:
        raise DataError(
            f"{needed_by} needs labels, but the data has none: name its label column in data.label (jsonl: "
            "its key in data.group), or give a folder sub-folders"
        )
    return tuple(sorted({str(label) for label in rows.labels} - {UNLABELLED}, key=natural))
