# SPDX-License-Identifier: Apache-2.0
"""The whole row of metrics: order, agreement with the single metrics, finiteness, real digits."""

import math

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from tailweave.clients.metrics import evaluate, yardstick, yardstick_of
from tailweave.clients.metrics.diversity import entropy_kl, rbf_bandwidth, variance_ratio, vendi
from tailweave.clients.metrics.energy import energy_distance
from tailweave.clients.metrics.frechet import frechet
from tailweave.clients.metrics.neighbours import (
    generalization_score,
    memorization,
    precision_recall_density_coverage,
)
from tailweave.clients.metrics.transport import sliced_w2_sq, w2_sq
from tailweave.clients.samples import Samples
from tailweave.protocols.features import FeatureMap

PLAIN = [
    "frechet",
    "w2_sq",
    "energy_distance",
    "precision",
    "recall",
    "density",
    "coverage",
    "vendi",
    "variance_ratio",
    "entropy_kl",
    "memorization",
    "generalization_score",
    "training_entropy",
]


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    return PCA(20, random_state=0).fit_transform(data.data / 16.0)[order], data.target[order]


def _samples(seed: int, n: int, d: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d))


def test_order_and_names():
    y = _samples(0, 40)
    assert list(evaluate(yardstick(y, None), y, y)) == PLAIN
    modes = ["modes_covered", "rarest_mode_share", "mode_share/2", "mode_share/10"]
    assert list(evaluate(yardstick(y, [2, 10] * 20), y, y)) == PLAIN + modes


def test_every_value_is_that_of_its_own_function():
    x, y, z = _samples(1, 60), 1.3 * _samples(2, 50), _samples(3, 20)
    row = evaluate(yardstick(y, None), x, z)
    assert row == pytest.approx(
        {
            "frechet": frechet(x, y),
            "w2_sq": w2_sq(x, y),
            "energy_distance": energy_distance(x, y),
            **precision_recall_density_coverage(x, y, k=5),
            "vendi": vendi(x, rbf_bandwidth(y)),
            "variance_ratio": variance_ratio(x, y),
            "entropy_kl": entropy_kl(x, k=5),
            "memorization": memorization(x, z, y),
            "generalization_score": generalization_score(x, z),
            "training_entropy": entropy_kl(z, k=5),
        },
        rel=1e-12,
    )


def test_mode_shares_come_from_the_judge():
    y = np.repeat([[0.0], [100.0]], [90, 10], axis=0) + _samples(4, 100, 1)
    ruler = yardstick(y, np.repeat(["many", "few"], [90, 10]))
    row = evaluate(ruler, [[0.1], [99.0], [0.3], [-0.2]], y)
    assert row["mode_share/many"] == 0.75
    assert row["mode_share/few"] == row["rarest_mode_share"] == 0.25
    assert row["modes_covered"] == 2.0
    assert evaluate(ruler, [[0.1]], y)["modes_covered"] == 1.0
    named = yardstick(y, np.repeat(["many", "few"], [90, 10]), "many")
    assert evaluate(named, [[0.1], [99.0], [0.3], [-0.2]], y)["rarest_mode_share"] == 0.75


def test_above_two_thousand_rows_the_sliced_distance_takes_over():
    x, y = _samples(5, 2001, 2), _samples(6, 30, 2)
    for generated, truth in ((x, y), (y, x)):
        ruler = yardstick(truth, None)
        row = evaluate(ruler, generated, y)
        assert list(row)[1] == "sliced_w2_sq"
        assert row["sliced_w2_sq"] == sliced_w2_sq(generated, truth, ruler.directions)
    np.testing.assert_allclose(np.linalg.norm(ruler.directions, axis=1), 1.0, rtol=1e-15)
    assert "w2_sq" in evaluate(yardstick(y, None), x[:2000], y)


def test_thinning_is_fair_to_rows_sorted_by_mode():
    # 3,300 rows, the second half far away: first rows alone would lose the second mode entirely
    x = np.repeat([0.0, 1000.0], 1650)[:, None] + _samples(7, 3300, 1)
    row = evaluate(yardstick(x[::-1], None), x, x[:50])
    assert row["recall"] > 0.99
    assert row["coverage"] > 0.99
    # two groups, narrow beside the bandwidth, which is their distance: eigenvalues (1 +- exp(-1/2)) / 2
    c = np.exp(-0.5)
    assert row["vendi"] == pytest.approx(np.exp(entropy([(1 + c) / 2, (1 - c) / 2])), rel=0.01)


def test_halves_of_real_digits_look_alike(digits):
    x, labels = digits
    half = len(x) // 2
    row = evaluate(yardstick(x[:half], labels[:half]), x[half:], x[: half // 2])
    # design.md, real held-out data: FD .046, recall .97, coverage .97, all modes, variance kept 1.00;
    # measured over three splits here: FD .033-.047, recall .962-.968, coverage .955-.973
    assert 0.02 < row["frechet"] < 0.07
    assert row["recall"] > 0.94
    assert row["coverage"] > 0.94
    assert row["modes_covered"] == 10.0
    assert row["variance_ratio"] == pytest.approx(1.0, abs=0.05)


def test_a_collapsed_generator_shows(digits):
    x, labels = digits
    half = len(x) // 2
    ruler = yardstick(x[:half], labels[:half])
    good, bad = (evaluate(ruler, g, x[:200]) for g in (x[half:], x[half:][labels[half:] == 3]))
    for lower in ("recall", "coverage", "vendi", "variance_ratio", "modes_covered", "entropy_kl"):
        assert bad[lower] < good[lower], lower
    for higher in ("frechet", "w2_sq", "energy_distance"):
        assert bad[higher] > good[higher], higher


@pytest.mark.parametrize(
    "generated",
    [
        np.zeros((50, 2)),
        np.ones((1, 2)),
        _samples(8, 3, 2),
        np.repeat(_samples(9, 2, 2), 20, axis=0),
        1e99 * _samples(10, 40, 2),
        1e-300 * _samples(11, 40, 2),
    ],
    ids=["point", "one-row", "few-rows", "two-points", "diverged", "vanishing"],
)
def test_always_finite(generated):
    y = _samples(12, 30, 2)
    for truth in (y, y[:2], 1e-49 * y):
        for training in (truth, generated, np.zeros((1, 2))):
            row = evaluate(yardstick(truth, np.arange(len(truth)) % 2), generated, training)
            assert all(type(value) is float and math.isfinite(value) for value in row.values()), row


def test_one_dimension_is_enough():
    y = _samples(13, 30, 1)
    row = evaluate(yardstick(y, None), y, y + 10.0)
    assert row["frechet"] == pytest.approx(0.0, abs=1e-14)
    assert row["w2_sq"] == row["energy_distance"] == 0.0
    assert row["precision"] == row["recall"] == row["coverage"] == row["variance_ratio"] == 1.0


def test_same_input_same_bytes(digits):
    x, labels = digits
    rows = [evaluate(yardstick(x[:300], labels[:300]), x[300:600], x[600:700]) for _ in range(2)]
    assert repr(rows[0]) == repr(rows[1])


def test_bad_inputs_are_named():
    y = _samples(14, 10)
    for same in (np.full((3, 2), 0.1), np.ones((1, 2))):
        with pytest.raises(
            ValueError, match="truth_features must have a total variance of 1e-2[46] or more, got 0"
        ):
            yardstick(same, None)
    with pytest.raises(ValueError, match=r"labels must have shape \(10,\)"):
        yardstick(y, [1, 2])
    ruler = yardstick(y, None)
    with pytest.raises(ValueError, match="generated must have 3 columns, got 2"):
        evaluate(ruler, y[:, :2], y)
    with pytest.raises(ValueError, match="training must be a non-empty matrix"):
        evaluate(ruler, y, np.empty((0, 3)))
    with pytest.raises(ValueError, match=r"generated must stay below 1e\+100 in magnitude, got 1e\+100"):
        evaluate(ruler, np.full((2, 3), -1e100), y)


@pytest.mark.parametrize("count", [2, 3, 5, 17, 48, 1001])
def test_equal_rows_are_refused_however_a_product_rounds_them(count):
    rng = np.random.default_rng(5)
    features = FeatureMap(rng.normal(size=64), rng.normal(size=(64, 8)), np.zeros(8), 1.0)
    rows = np.tile(rng.normal(size=64), (count, 1))
    with pytest.raises(ValueError, match="truth rows must have a total variance above 0: all of them"):
        yardstick_of(Samples.of(rows), features)
    with pytest.raises(ValueError, match="truth_features must have a total variance of .* or more"):
        yardstick(features(rows), None)
    rows[0] += 1e-3
    assert yardstick_of(Samples.of(rows), features).truth.tobytes() == features(rows).tobytes()


def test_copies_of_a_row_that_stands_often_are_inside_its_ball():
    """The map rounds copies apart by their last bits; a ball of radius 0 would hold some and not others."""
    rng = np.random.default_rng(6)
    truth = np.vstack([np.tile(rng.normal(size=8), (10, 1)), 5.0 + rng.normal(size=(3, 8))])
    copies = np.tile(truth[0], (4, 1)) * (1.0 + np.array([[0.0], [2e-16], [-2e-16], [4e-16]]))
    found = evaluate(yardstick(truth, None), copies, truth)
    assert found["precision"] == 1.0
    assert found["coverage"] >= 10 / 13


def test_what_was_made_of_training_rows_before_stands_for_them():
    rng = np.random.default_rng(5)
    truth, generated, training = rng.normal(size=(60, 3)), rng.normal(size=(40, 3)), rng.normal(size=(50, 3))
    ruler = yardstick(truth, None)
    assert evaluate(ruler, generated, ruler.training(training)) == evaluate(ruler, generated, training)
    with pytest.raises(ValueError, match="training"):
        ruler.training(np.empty((0, 3)))
