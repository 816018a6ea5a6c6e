# SPDX-License-Identifier: Apache-2.0
"""Which groups of rows are looked for: classes, levels of categories, rare pairs of these, or else modes.

All are chosen by looking at real and synthetic rows together, so that nothing but chance tells those of one
side from those of the other where both are alike: the false-alarm rate of ``lost_groups`` rests on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from tailweave.clients.samples import Samples
from tailweave.clients.sorts import Coded
from tailweave.protocols.arrays import Floats, Ints
from tailweave.simulation.report.wording import number

PAIRS = 20
"""Pairs of levels that are looked at: the rarest."""
FEWEST_OF_A_PAIR = 10
"""Rows of both sides that a pair must have: of fewer no loss can be shown among so many groups."""
ROWS_A_MODE, MOST_MODES, FIT_ROWS = 100, 20, 10_000
MOST_COLUMNS = 50
"""Of rows with more, modes are looked for among as many principal components."""
_STEPS = 20.0
"""Of what a column counts as spread, its range is at most so many: the rest is a few rows'."""


@dataclass(frozen=True)
class Counted:
    """How many rows of either side are in a group, and which larger groups it is part of."""

    name: str
    real: int
    synthetic: int
    within: tuple[str, ...] = ()


def count_groups(real: Samples, synthetic: Samples, label: str) -> list[Counted]:
    """Count the rows of either side in every group that is looked for.

    Args:
        real: n of them.
        synthetic: m of them, of the same sort; with labels if the real ones have some.
        label: What the labels are called.

    Returns:
        Classes and levels, column by column, then rare pairs; modes where there are neither.
    """
    both = Samples.joined([real, synthetic])
    columns = list(_columns(both, label)) or [_modes(both)]
    own = np.arange(len(both)) < len(real)
    found = [counted for column in columns for counted in _levels(column, own)]
    return [*found, *_rare_pairs(columns, own)]


def _columns(both: Samples, label: str) -> Iterator[Coded]:
    if both.labels is not None:
        names, codes = np.unique(both.labels, return_inverse=True)
        yield Coded(label, codes.astype(np.int64), tuple(names.tolist()))
    yield from both.sort.coded(both.values)


def _levels(column: Coded, own: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[Counted]:
    """Yield the levels that some row has."""
    width = len(column.levels)
    real = np.bincount(column.codes[own], minlength=width)
    synthetic = np.bincount(column.codes[~own], minlength=width)
    for level, one, other in zip(column.levels, real.tolist(), synthetic.tolist(), strict=True):
        if one or other:
            yield Counted(f"{column.name}={level}" if column.name else level, one, other)


def _rare_pairs(columns: list[Coded], own: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Iterator[Counted]:
    """Yield the rarest pairs of levels; one that is all of a level is not another group than that."""
    found: list[tuple[int, Counted]] = []
    for one, other in combinations(columns, 2):
        shape = len(one.levels), len(other.levels)
        codes = one.codes * shape[1] + other.codes
        real = np.bincount(codes[own], minlength=shape[0] * shape[1]).reshape(shape)
        synthetic = np.bincount(codes[~own], minlength=shape[0] * shape[1]).reshape(shape)
        both = real + synthetic  # (levels of one, levels of the other)
        least = np.minimum(both.sum(axis=1)[:, None], both.sum(axis=0))
        for i, j in np.argwhere((both >= FEWEST_OF_A_PAIR) & (both < least)):
            parts = f"{one.name}={one.levels[i]}", f"{other.name}={other.levels[j]}"
            pair = Counted(" & ".join(parts), int(real[i, j]), int(synthetic[i, j]), parts)
            found.append((int(both[i, j]), pair))
    found.sort(key=lambda one: (one[0], one[1].name))
    yield from (pair for _, pair in found[:PAIRS])


def _modes(both: Samples) -> Coded:
    """Part rows by k-means; the rows come in an order of their own, which does not tell the sides apart."""
    order = np.lexsort(both.values.T[::-1])
    rows = spread(both.values)[order]
    some = np.linspace(0, len(rows) - 1, min(len(rows), FIT_ROWS)).astype(np.int64)
    if rows.shape[1] > MOST_COLUMNS:
        rows = PCA(min(MOST_COLUMNS, len(some)), svd_solver="full").fit(rows[some]).transform(rows)
    modes = min(MOST_MODES, max(2, len(rows) // ROWS_A_MODE))
    modes = min(modes, len(np.unique(rows[some], axis=0)))
    found = KMeans(modes, n_init=4, random_state=0).fit(rows[some]).predict(rows)
    codes = np.empty(len(rows), dtype=np.int64)
    codes[order] = found
    return Coded("", codes, tuple(_described(both, codes, mode) for mode in range(modes)))


def _described(both: Samples, codes: Ints, mode: int) -> str:
    """Name a mode; in a table by the two columns in which it is farthest from the rest."""
    inside = codes == mode
    said = f"mode {mode + 1}"
    if both.image or not inside.any():
        return said
    centre = both.values[inside].mean(axis=0)
    away, row = (
        np.abs(spread(centre[None], like=both.values)[0]),
        both.sort.tabled(centre[None]).to_pylist()[0],
    )
    columns = [both.columns[at] for at in np.argsort(-away, kind="stable")]
    near = [f"{name} ≈ {number(row[name], 2)}" for name in columns if isinstance(row.get(name), float)]
    return f"{said}: {', '.join(near[:2])}" if near else said


def spread(values: Floats, like: Floats | None = None) -> Floats:
    """Return columns of mean 0 and a spread of at most 1, as those of ``like`` have them; see ``spread_of``.

    Args:
        values: Shape (n, p).
        like: Rows that say mean and spread, shape (k, p); None for the values themselves.
    """
    centre, scale = spread_of(values if like is None else like)
    scaled: Floats = (values - centre) / scale
    return scaled


def spread_of(values: Floats) -> tuple[Floats, Floats]:
    """Return mean and spread of columns (n, p), each of shape (p,).

    The spread is the standard deviation, or a twentieth of the range where that is more: a column in which
    one row in a thousand differs does not outweigh all others. It is 1 where all rows are equal.
    """
    scale = np.maximum(values.std(axis=0), np.ptp(values, axis=0) / _STEPS)
    return values.mean(axis=0), np.where(scale > 0.0, scale, 1.0)
