# SPDX-License-Identifier: Apache-2.0
"""Inputs with true labels, read once a process, and the test rows of each repetition."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tailweave.clients.bag_of_words import bag_of_words
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import TEXT, DataError, Index, Samples
from tailweave.protocols.arrays import Ints
from tailweave.protocols.kinds.sources.base import AnySource
from tailweave.protocols.streams import stream


@dataclass(frozen=True, eq=False)
class Pool:
    """Inputs whose true labels are known.

    Attributes:
        inputs: Shape (n, p), dense, or sparse counts of words.
        labels: True class of each, 0 to C - 1, shape (n,).
        classes: Names of the C >= 2 classes.
        train: Which may be learned from.
        test: Which are only judged by.
    """

    inputs: Any
    labels: Ints
    classes: tuple[str, ...]
    train: Index
    test: Index


def pool_of(data: AnySource, seed: int, *, data_seed: int) -> Pool:
    """Return the rows of a source with those that one repetition holds out for its test.

    Args:
        data: Where they come from; documents become bags of words.
        seed: Names the stream of what is held out: a share as the source says, unless the data's own authors
            hold some out.
        data_seed: Seed of a source that draws its rows, the same for all repetitions.

    Raises:
        DataError: If the data cannot be read, or have no two classes.
    """
    inputs, labels, classes, held = _read(data, data_seed)
    count = len(labels)
    if held:
        return Pool(inputs, labels, classes, np.arange(count - held), np.arange(count - held, count))
    order = stream(seed, "studies", "test").permutation(count)
    test = min(max(1, round(data.held_out_share * count)), count - 1)
    return Pool(inputs, labels, classes, np.sort(order[test:]), np.sort(order[:test]))


@lru_cache(maxsize=1)
def _read(data: AnySource, seed: int) -> tuple[Any, Ints, tuple[str, ...], int]:
    """Return inputs, class numbers and names, and how many at the end are held out by the data's authors."""
    rows, held = load_rows(data, seed=seed)
    both = rows if held is None else Samples.joined([rows, held])
    classes = () if both.labels is None else tuple(np.unique(both.labels).tolist())
    if len(classes) < 2:
        raise DataError(f"data: {_found(classes)}, needed: labels of two classes or more")
    labels = np.searchsorted(classes, np.asarray(both.labels)).astype(np.int64)
    inputs = bag_of_words(both.values.tolist()) if both.sort == TEXT else both.values.astype(np.float32)
    return inputs, labels, classes, 0 if held is None else len(held)


def _found(classes: Sequence[str]) -> str:
    return f"found one class only, {classes[0]!r}" if classes else "found no labels"
