# SPDX-License-Identifier: Apache-2.0
"""Rows set aside by class: exact shares, a row of every class on either side, one rarest class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.data.class_sizes import class_sizes, rarest_class
from tailweave.clients.data.held_out import split, stratified
from tailweave.clients.data.silo import World
from tailweave.clients.samples import DataError, Samples


def labelled(counts: dict[str, int], seed: int = 0) -> Samples:
    names = np.random.default_rng(seed).permutation(np.repeat(list(counts), list(counts.values())))
    return Samples.of(np.arange(float(len(names)))[:, None], names)


def counted(rows: Samples) -> dict[str, int]:
    return {str(n): int(c) for n, c in zip(*np.unique(rows.labels, return_counts=True), strict=True)}


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    fraction=st.floats(0.05, 0.9),
    seed=st.integers(0, 99),
)
def test_every_class_of_two_rows_is_on_either_side(sizes, fraction, seed):
    counts = {f"c{i}": size for i, size in enumerate(sizes)}
    if sum(sizes) < 2:
        return
    rows = labelled(counts, seed)
    rest, aside = stratified(rows, fraction, "the data", rng=np.random.default_rng(seed))
    both = np.sort(np.concatenate([rest.values[:, 0], aside.values[:, 0]]))
    assert (both == np.arange(len(rows))).all()
    assert (np.diff(aside.values[:, 0]) > 0).all()
    if max(sizes) == 1:
        return
    left, right = counted(rest), counted(aside)
    for name, size in counts.items():
        assert left.get(name, 0) >= 1
        assert (right.get(name, 0) >= 1) == (size >= 2)
    wanted = min(max(round(fraction * len(rows)), 1), len(rows) - 1)
    least, most = sum(size >= 2 for size in sizes), sum(size - 1 for size in sizes)
    assert len(aside) == min(max(wanted, least), most)


def test_shares_are_those_of_the_whole():
    rows = labelled({"a": 500, "b": 300, "c": 20, "d": 3})
    _, aside = stratified(rows, 0.4, "the data", rng=np.random.default_rng(0))
    assert counted(aside) == {"a": 200, "b": 120, "c": 8, "d": 1}


def test_without_labels_it_is_a_plain_split():
    rows = Samples.of(np.arange(40.0)[:, None])
    one, two = (how(rows, 0.3, "x", rng=np.random.default_rng(5)) for how in (stratified, split))
    assert all((a.values == b.values).all() for a, b in zip(one, two, strict=True))
    for how in (stratified, split):
        with pytest.raises(DataError, match="x needs at least 2 rows to set a share of them aside, got 1"):
            how(Samples.of([[0.0]]), 0.3, "x", rng=np.random.default_rng(0))


def test_the_rarest_class_is_counted_in_all_rows_and_ties_go_by_name():
    def world(train: dict[str, int], evaluation: dict[str, int]) -> World:
        return World(labelled(evaluation), labelled(train), labelled(train), ())

    found = rarest_class(world({"m10": 3, "m2": 3, "big": 50}, {"m10": 1, "m2": 1, "big": 1}))
    assert (found.name, found.rows, found.evaluation) == ("m2", 4, 1)
    unseen = world({"one": 1, "few": 4, "big": 50}, {"few": 3, "big": 20})
    assert rarest_class(unseen).name == "few"
    assert [(size.name, size.evaluation) for size in class_sizes(unseen)] == [
        ("big", 20),
        ("few", 3),
        ("one", 0),
    ]
    assert rarest_class(World(*[Samples.of([[0.0], [1.0]])] * 3, ())) is None
