# SPDX-License-Identifier: Apache-2.0
"""The cost of the next pick, kept by residuals, against its definition over all picks."""

import numpy as np
import pytest

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical
from tailweave.protocols.references.residual import Running
from tailweave.protocols.references.sliced import Sliced, summarise
from tailweave.protocols.streams import stream

POINTS = stream(0, "points").normal(size=(120, 3))
X = 1.4 * stream(0, "x").normal(size=(40, 3)) + 0.3
FORMS = ["points", "cosine", "histogram"]


def sketch(points: np.ndarray, basis: str) -> Sliced:
    spec = SlicedReference(kind="sliced", basis=basis, directions=24)
    found = summarise(points, spec, PublicSpace(np.zeros(3), 1.0, 5))
    return Sliced(found.sums / found.count, spec, PublicSpace(np.zeros(3), 1.0, 5))


def reference(form: str) -> Running:
    masses = stream(0, "masses").uniform(size=120)
    return Empirical.of(POINTS, masses) if form == "points" else sketch(POINTS, form)


def costs(form: str, x: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """(m + 1) h less the distance to each pick; a pick in a bin is anywhere in it."""
    compared = reference(form)
    if form == "histogram":
        far = sum((sketch(pick[None], form).potential(x) for pick in picks), np.zeros(len(x)))
    else:
        pairs = compared.pairs(np.concatenate([x, picks]))
        far = sum((pairs.column(len(x) + i)[: len(x)] for i in range(len(picks))), np.zeros(len(x)))
    return (len(picks) + 1) * compared.potential(x) - far


@pytest.mark.parametrize("form", FORMS)
def test_costs_are_those_of_all_picks(form):
    residual, made = reference(form).residual(), np.empty((0, 3))
    for start, places in ((0, [3, 1]), (10, [5]), (20, []), (25, [0, 2, 4, 9])):
        x = X[start : start + 10]
        window = residual.window(x)
        # Products of float32, of positions, basis functions or points near 1, summed over at most 7 picks.
        np.testing.assert_allclose(window.costs, costs(form, x, made), rtol=0, atol=2e-5)
        window.take(np.array(places, dtype=np.int64))
        made = np.concatenate([made, x[places]])


@pytest.mark.parametrize("form", FORMS)
def test_a_pick_raises_costs_as_it_does_once_it_is_taken(form):
    compared = reference(form)
    window = compared.residual().window(X)
    rows = window.raises(np.array([7, 0, 33]))
    assert (rows.shape, rows.dtype) == ((3, 40), np.float32)
    pairs = compared.pairs(X)
    for row, pick in zip(rows, (7, 0, 33), strict=True):
        np.testing.assert_allclose(row, compared.potential(X) - pairs.column(pick), rtol=0, atol=1e-3)
    others = np.arange(40) != 7  # near-duplicates in float32: see EuclideanPairs
    np.testing.assert_allclose(
        rows[0][others], (compared.potential(X) - pairs.column(7))[others], rtol=0, atol=2e-5
    )


@pytest.mark.parametrize("form", FORMS)
def test_what_was_taken_is_taken_back(form):
    residual = reference(form).residual()
    first, second = residual.window(X[:10]), None
    taken = first.take(np.array([4, 6]))
    second = residual.window(X[10:20])
    second.take(np.array([1]))
    again = residual.window(X[:10], instead_of=taken)
    np.testing.assert_allclose(again.costs, costs(form, X[:10], X[[11]]), rtol=0, atol=2e-5)
    again.take(np.array([2]))
    last = residual.window(X[20:30])
    np.testing.assert_allclose(last.costs, costs(form, X[20:30], X[[11, 2]]), rtol=0, atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 2)), "candidates must have 3 columns, got 2"),
        (np.full((1, 3), np.nan), "must be finite"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(form, x, message):
    with pytest.raises(ValueError, match=message):
        reference(form).residual().window(x)
