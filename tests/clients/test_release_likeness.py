# SPDX-License-Identifier: Apache-2.0
"""Sketches that know a table again: against exact sets, whatever the order, and nothing without the key."""

import hashlib
import hmac

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.release.likeness import SAME, SKETCH, likeness, overlap, union

KEY = b"k" * 32


def table(seed: int, rows: int, columns: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, columns))


def sketch(rows: np.ndarray) -> tuple[int, ...]:
    return likeness(rows, KEY).sketch


def test_a_known_row_by_hand():
    rows = np.array([[2.0, -0.0, 1.0]])
    by_hand = hashlib.blake2b(np.array([0.0, 1.0, 2.0]).tobytes(), key=KEY, digest_size=8).digest()
    found = likeness(rows, KEY)
    assert found.sketch == (int.from_bytes(by_hand, "little"),)
    assert found.table == hmac.new(KEY, by_hand, hashlib.sha256).hexdigest()


def test_order_of_rows_and_columns_is_nothing_and_all_else_is_something():
    rows = table(0, 500)
    assert likeness(rows[::-1][:, [3, 1, 0, 2]], KEY) == likeness(rows, KEY)
    for other in (rows[1:], rows + np.eye(500, 4) * 1e-12, np.vstack([rows, rows[:1]])):
        assert likeness(other, KEY).table != likeness(rows, KEY).table
    assert not set(likeness(rows, b"j" * 32).sketch) & set(sketch(rows))


@pytest.mark.parametrize(
    ("mine", "common", "theirs"), [(0, 900, 0), (300, 300, 300), (3000, 3000, 3000), (9000, 1000, 0)]
)
def test_overlap_is_the_exact_share_of_the_smaller(mine, common, theirs):
    rows = table(1, mine + common + theirs)
    one, two = rows[: mine + common], rows[mine:]
    exact = common / min(len(one), len(two))
    sizes = sorted((len(one), len(two)))
    # Binomial over the smaller table's hashes below the common end; 5 standard errors, false alarm < 1e-6.
    counted = sizes[0] if sizes[1] <= SKETCH else SKETCH * sizes[0] / sizes[1]
    error = 5.0 * np.sqrt(exact * (1 - exact) / counted)
    assert overlap(sketch(one), sketch(two)) == pytest.approx(exact, abs=error + 1e-12)
    assert overlap(sketch(two), sketch(one)) == overlap(sketch(one), sketch(two))


def test_strangers_share_nothing_and_empty_sketches_say_nothing():
    assert overlap(sketch(table(2, 2000)), sketch(table(3, 2000))) == 0.0
    assert overlap((), sketch(table(2, 20))) == overlap((), ()) == 0.0


def test_rows_that_are_not_distinct_are_no_evidence():
    """Two hospitals' yes-or-no columns are much the same; their tables as a whole are not."""
    one, two = (np.random.default_rng(seed).integers(2, size=(400, 3)).astype(float) for seed in (4, 5))
    assert sketch(one) == ()
    assert likeness(one, KEY).table != likeness(two, KEY).table
    assert likeness(one[::-1], KEY) == likeness(one, KEY)


@given(sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=4), seed=st.integers(0, 9))
@settings(max_examples=15, deadline=None)
def test_the_union_of_sketches_is_the_sketch_of_all_rows(sizes, seed):
    rows = table(seed, sum(sizes))
    parts, whole = np.split(rows, np.cumsum(sizes)[:-1]), ()
    for part in parts:
        whole = union(whole, sketch(part))
    assert whole == sketch(rows)
    assert all(overlap(whole, sketch(part)) in (0.0, 1.0) for part in parts)
    assert overlap(whole, sketch(max(parts, key=len))) >= SAME
