# SPDX-License-Identifier: Apache-2.0
"""Setting rows aside: a random share of all, or, where there are classes, of each class."""

import numpy as np

from tailweave.clients.data.apportion import apportion
from tailweave.clients.samples import UNLABELLED, DataError, Samples
from tailweave.protocols.arrays import Ints


def split(rows: Samples, fraction: float, owner: str, *, rng: np.random.Generator) -> tuple[Samples, Samples]:
    """Set a random share aside, whatever the classes.

    Args:
        rows: The rows, n of them.
        fraction: Share to set aside; ``fraction * n`` is rounded to a whole number between 1 and n - 1.
        owner: Whose rows they are, for the message.
        rng: Source of randomness.

    Returns:
        The rest and the rows set aside, both in the order of ``rows``.

    Raises:
        DataError: If there are fewer than 2 rows.
    """
    order, count = rng.permutation(len(rows)), _count(rows, fraction, owner)
    return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))


def stratified(
    rows: Samples, fraction: float, owner: str, *, rng: np.random.Generator
) -> tuple[Samples, Samples]:
    """Set a share of every class aside; as ``split`` where there are no labels.

    A class of r rows gets ``fraction * r`` of those set aside, rounded such that the total is that of
    ``split``, but at least 1 and at most r - 1: a rare class would else be absent from the truth with
    probability (1 - fraction)^r, and its share could not be measured. A class of one row stays with the rest.
    The total is larger only where there are more classes than rows to set aside.

    Args:
        rows: The rows, n of them.
        fraction: Share to set aside.
        owner: Whose rows they are, for the message.
        rng: Source of randomness; it is drawn from as by ``split``.

    Returns:
        The rest and the rows set aside, both in the order of ``rows``.

    Raises:
        DataError: If there are fewer than 2 rows.
    """
    order, count = rng.permutation(len(rows)), _count(rows, fraction, owner)
    if rows.labels is None:
        return rows.take(np.sort(order[count:])), rows.take(np.sort(order[:count]))
    names, codes, sizes = np.unique(rows.labels, return_inverse=True, return_counts=True)
    most = np.where(names == UNLABELLED, sizes, sizes - 1)
    least = np.where(names == UNLABELLED, 0, np.minimum(most, 1))
    quotas = _balanced(apportion(count, sizes.astype(np.float64)), least, most, count)  # (c,)
    shuffled = codes[order]
    aside = np.concatenate([order[shuffled == code][: quotas[code]] for code in range(len(names))])
    if not len(aside):  # as many classes as rows
        aside = order[:count]
    return rows.take(np.setdiff1d(np.arange(len(rows)), aside)), rows.take(np.sort(aside))


def _balanced(quotas: Ints, least: Ints, most: Ints, total: int) -> Ints:
    """Return quotas within their bounds whose sum is ``total``, as far as the bounds let it be."""
    found = np.clip(quotas, least, most)
    while found.sum() > total and (found > least).any():
        found[np.argmax(np.where(found > least, found, -1))] -= 1
    while found.sum() < total and (found < most).any():
        found[np.argmax(most - found)] += 1
    return found


def _count(rows: Samples, fraction: float, owner: str) -> int:
    if len(rows) < 2:
        raise DataError(f"{owner} needs at least 2 rows to set a share of them aside, got {len(rows)}")
    return min(max(round(fraction * len(rows)), 1), len(rows) - 1)
