# SPDX-License-Identifier: Apache-2.0
"""The judge of modes, and what it counts."""

import time

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from tailweave.clients.metrics.modes import fit_judge, group_distance, modes_covered
from tailweave.protocols.streams import stream


def test_shares_of_separated_modes_are_exact():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    modes = np.repeat([0, 1, 2], [50, 30, 20])
    judge = fit_judge(centres[modes] + rng.normal(size=(100, 2)), modes)
    np.testing.assert_allclose(judge.truth_shares, [0.5, 0.3, 0.2], rtol=1e-15)
    fresh = centres[[0, 0, 0, 2]] + rng.normal(size=(4, 2))
    np.testing.assert_array_equal(judge.shares(fresh), [0.75, 0.0, 0.25])


def test_a_one_percent_mode_is_recognised():
    rng = np.random.default_rng(1)
    centres = 6.0 * np.eye(12)  # 8.5 apart
    modes = rng.permutation(np.repeat(np.arange(12), [98] * 10 + [10, 10]))
    judge = fit_judge(centres[modes] + rng.normal(size=(1000, 12)), modes)
    rare = centres[np.repeat([10, 11], 200)] + rng.normal(size=(400, 12))
    # half the distance is 4.2 standard deviations, so at most a few in 10^5 are misjudged by the ideal rule
    np.testing.assert_allclose(judge.shares(rare)[10:], [0.5, 0.5], atol=0.01)


def test_held_out_digits_are_judged_well_and_the_same_twice():
    digits = load_digits()
    x = PCA(20, random_state=0).fit_transform(digits.data / 16.0)
    order = np.random.default_rng(2).permutation(len(x))
    train, held = order[:719], order[719:]
    one, two = (fit_judge(x[train], digits.target[train]) for _ in range(2))
    right = [one.shares(x[held][digits.target[held] == c])[c] for c in range(10)]
    assert np.mean(right) > 0.97  # measured 98.5 % over three splits, linear discriminants 93.5 %
    np.testing.assert_array_equal(one.shares(x[held]), two.shares(x[held]))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([10, 9, 2, 2], ("2", "9", "10")),
        (["10", "9", "2", "2"], ("2", "9", "10")),
        (["b10", "b9", "a", "a"], ("a", "b10", "b9")),
    ],
)
def test_labels_are_sorted_as_a_reader_expects(labels, expected):
    judge = fit_judge([[0.0], [10.0], [20.0], [21.0]], labels)
    assert judge.labels == expected
    first = labels.index(type(labels[0])(expected[0]))
    np.testing.assert_array_equal(judge.shares([[10.0 * first]]), [1.0, 0.0, 0.0])


def test_a_single_mode_takes_everything():
    judge = fit_judge([[0.0], [1.0]], ["only", "only"])
    assert judge.labels == ("only",)
    np.testing.assert_array_equal(judge.shares([[5.0], [6.0]]), [1.0])


def test_covered_from_two_percent_or_half_the_truth():
    balanced = np.full(10, 0.1)
    assert modes_covered([0.02, 0.0199, 0.0, 0.9601, 0, 0, 0, 0, 0, 0], balanced) == 2
    # a 1 % mode counts from half a percent
    assert modes_covered([0.99, 0.005, 0.005], [0.98, 0.01, 0.01]) == 3
    assert modes_covered([0.9902, 0.0049, 0.0049], [0.98, 0.01, 0.01]) == 1
    # counts are exact at the border: 8 of 400, and 2 of 400 for a mode of 4 in 400
    assert modes_covered([8 / 400, 2 / 400, 390 / 400], [0.5, 4 / 400, 0.49]) == 3


def test_the_rarest_mode_is_the_one_named_else_the_first_of_the_fewest():
    rows, labels = [[0.0], [1.0], [10.0], [20.0]], ["a", "a", "c", "b"]
    assert fit_judge(rows, labels).rarest == "b"
    assert fit_judge(rows, labels, "a").rarest == "a"
    with pytest.raises(ValueError, match="rarest must be one of the labels a, b, c, got d"):
        fit_judge(rows, labels, "d")


def test_thousands_of_modes_are_judged_in_bounded_time():
    # Votes on every pair of 1,000 modes took 10 s; the nearest true row does not count modes at all.
    rng = stream(0, "many")
    rows = rng.normal(size=(2000, 4)) * 50.0
    labels = [f"id-{i // 2}" for i in range(2000)]
    begun = time.process_time()
    judge = fit_judge(rows, labels)
    shares = judge.shares(rows[:1000])
    assert time.process_time() - begun < 3.0
    assert np.count_nonzero(shares) == 500


def test_distance_of_groups():
    truth = [0.5, 0.25, 0.25]
    assert group_distance(truth, truth) == 0.0
    assert group_distance([0.9, 0.1, 0.0], truth) == pytest.approx(0.4 + 0.15 + 0.25)
    assert group_distance([0.0, 1.0], [1.0, 1e-12]) == pytest.approx(2.0)
    rng, far = stream(0, "samples"), []
    for _ in range(2000):
        far.append(group_distance(rng.multinomial(200, truth) / 200, truth))
    expected = sum(np.sqrt(2 * t * (1 - t) / (np.pi * 200)) for t in truth)
    # 5 standard errors of the mean, and 2 % for the normal approximation
    assert np.mean(far) == pytest.approx(expected, abs=5 * np.std(far) / np.sqrt(2000) + 0.02 * expected)


def test_bad_inputs_are_named():
    with pytest.raises(ValueError, match=r"labels must have shape \(2,\), .*got \(3,\)"):
        fit_judge([[0.0], [1.0]], [0, 1, 2])
    with pytest.raises(ValueError, match="truth_features must be finite"):
        fit_judge([[np.nan]], [0])
    for labels in (["a", "b"], ["a", "a"]):
        with pytest.raises(ValueError, match="generated must have 1 columns, got 2"):
            fit_judge([[0.0], [1.0]], labels).shares([[0.0, 1.0]])
    for count in (modes_covered, group_distance):
        with pytest.raises(ValueError, match=r"shares must have shape \(c,\)"):
            count([0.5, 0.5], [1.0])
        with pytest.raises(ValueError, match=r"truth_shares must be positive, got 0\.0"):
            count([0.5, 0.5], [1.0, 0.0])
