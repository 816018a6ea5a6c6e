# SPDX-License-Identifier: Apache-2.0
"""Rules that look at labels."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.samples import Samples
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.class_balanced import counts
from tailweave.clients.selection.confident_herding import surest_of_each_class
from tailweave.clients.selection.dsbr import label_weights
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.rules.labels import ClassBalanced, ConfidentHerding, Dsbr, MostConfident
from tailweave.protocols.references import Empirical
from tailweave.protocols.references.shares import class_shares
from tailweave.protocols.streams import stream

CLASSES = ("a", "b", "c")
MAP = FeatureMap(np.zeros(5), np.diag([1.0, 1.0, 2.0, 2.0, 2.0]), np.zeros(5), 1.0, None, CLASSES)
LABELS = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)


def candidates(count: int, labels=LABELS) -> Candidates:
    samples = Samples.of(stream(0, "labelled").normal(size=(len(labels), 2)), labels)
    scorers = {"confidence": lambda some: 1.0 / (2.0 + some.values[:, 0] ** 2)}
    return Candidates(samples, MAP, count, scorers, public=MAP.space(0))


def reference(shares) -> Empirical:
    labels = np.repeat(CLASSES, shares)
    points = MAP(Samples.of(stream(1, "reference").normal(size=(len(labels), 2)), labels))
    return Empirical.of(points)


def test_the_surest_are_kept_and_of_equally_sure_ones_the_first():
    given = replace(candidates(3), scorers={"confidence": lambda _: np.repeat([0.5, 0.9, 0.9, 0.1], 25)})
    assert select(MostConfident(kind="most-confident"), given, None, rng=stream(0, "s")).tolist() == [
        25,
        26,
        27,
    ]


def test_classes_are_picked_as_often_as_the_reference_has_them():
    spec = ClassBalanced(kind="class-balanced")
    picks = select(spec, candidates(20), reference([10, 20, 10]), rng=stream(0, "s"))
    assert [int((LABELS[picks] == name).sum()) for name in CLASSES] == [5, 10, 5]
    other = select(spec, candidates(20), reference([10, 20, 10]), rng=stream(1, "s"))
    assert set(other) != set(picks)


def test_what_a_class_lacks_the_others_make_up_for():
    assert counts(np.array([60, 30, 2]), np.array([0.25, 0.25, 0.5]), 20).tolist() == [9, 9, 2]
    assert counts(np.array([3, 0, 2]), np.array([0.3, 0.3, 0.4]), 20).tolist() == [3, 0, 2]


def test_candidates_of_no_class_of_the_map_fill_up_what_is_left():
    given = candidates(8, np.array(["a", "b", "x", "y", "c", "x", "x", "x", "x"]))
    picks = select(ClassBalanced(kind="class-balanced"), given, reference([1, 1, 1]), rng=stream(0, "s"))
    assert {0, 1, 4} <= set(picks.tolist())


def test_weights_are_one_over_classes_times_the_running_share_after_the_batch():
    # pi = .5 at first; (3, 1) of 4 makes it .9 * .5 + .1 * (.75, .25) = (.525, .475)
    found = label_weights(np.array(["a", "a", "a", "b"]), batch=4, momentum=0.9)
    np.testing.assert_allclose(found, [1 / 1.05, 1 / 1.05, 1 / 1.05, 1 / 0.95], rtol=1e-12)
    later = label_weights(np.array(["a", "a", "a", "b", "b"]), batch=4, momentum=0.9)
    np.testing.assert_allclose(later[4], 1 / (2 * (0.9 * 0.475 + 0.1)), rtol=1e-12)


def test_rare_labels_are_drawn_more_often_than_their_share():
    spec = Dsbr(kind="dsbr", momentum=0.0, batch=100)
    drawn = [select(spec, candidates(9), None, rng=stream(seed, "s")) for seed in range(200)]
    share = np.mean([(LABELS[picks] == "c").mean() for picks in drawn])
    assert 0.25 < share < 0.4  # a third of the weight, less what is gone once drawn; 10 % of the candidates


def test_each_class_keeps_its_surest():
    codes = np.array([0, 0, 0, 0, 1, 1, 2])
    sure = np.array([0.9, 0.8, 0.95, 0.1, 0.2, 0.3, 0.01])
    assert surest_of_each_class(codes, sure, 0.5).tolist() == [0, 2, 5, 6]
    assert surest_of_each_class(codes, sure, 1.0).tolist() == list(range(7))


def test_the_gate_must_leave_enough_to_pick_from():
    spec = ConfidentHerding(kind="confident-herding", keep=0.1)
    assert len(select(spec, candidates(10), reference([1, 1, 1]), rng=stream(0, "s"))) == 10
    with pytest.raises(ValueError, match="keeps 10 of 100 candidates with keep = 0.1, fewer than the 11"):
        select(spec, candidates(11), reference([1, 1, 1]), rng=stream(0, "s"))


def test_shares_come_from_points():
    np.testing.assert_allclose(class_shares(reference([10, 20, 10]), MAP.space(0)), [0.25, 0.5, 0.25])


def test_without_classes_in_the_map_there_are_no_shares():
    plain = replace(candidates(5), public=None)
    for kind in (ClassBalanced(kind="class-balanced"), ConfidentHerding(kind="confident-herding")):
        with pytest.raises(ValueError, match="label-weight, got a map without"):
            select(kind, plain, reference([1, 1, 1]), rng=stream(0, "s"))
