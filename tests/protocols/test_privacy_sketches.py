# SPDX-License-Identifier: Apache-2.0
"""The two sliced mechanisms: unbiased, of known variance, and as useful as was measured."""

import numpy as np
import pytest

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.calibration import noise_multiplier
from tailweave.protocols.privacy.mechanisms import cosine, histogram
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.sliced import Sliced, summarise

D = 32
SPACE = PublicSpace(np.zeros(D), 1.0, seed=11)
SPECS = {
    "cosine": SlicedReference(kind="sliced", directions=64, coefficients=8),
    "histogram": SlicedReference(kind="sliced", basis="histogram", directions=64, bins=8),
}
MODULES = {"cosine": cosine, "histogram": histogram}


def seeded(seed):
    return SeededNoise(np.random.default_rng(seed))


def mixture(n, rng):
    """Ten anisotropic Gaussians with E|x|^2 near d, as were measured."""
    fixed = np.random.default_rng(7)
    means = 0.4 * fixed.standard_normal((10, D))
    factors = fixed.standard_normal((10, D, D)) * np.sqrt((1 - 0.16) / D)
    label = rng.choice(10, n)
    return means[label] + np.einsum("nij,nj->ni", factors[label], rng.standard_normal((n, D)))


@pytest.mark.parametrize("name", SPECS)
def test_noise_is_unbiased_and_of_the_stated_variance(name):
    spec, module, z = SPECS[name], MODULES[name], 2.0
    rows = mixture(400, np.random.default_rng(0))
    exact = summarise(rows, spec, SPACE)
    noisy = [module.privatise(rows, spec, SPACE, z, noise=seeded(seed)) for seed in range(40)]
    errors = np.stack([release.sums - exact.sums for release in noisy])  # (40, L, J)
    stated = module.noise_variance(spec, z)
    assert stated.shape == exact.sums.shape[1:]
    scaled = errors / np.sqrt(stated)
    # 20,480 normal numbers: 5 standard errors, false alarm 6e-7 each; nothing here was capped
    assert abs(scaled.mean()) < 5 / np.sqrt(scaled.size)
    assert abs(scaled.var() - 1.0) < 5 * np.sqrt(2 / scaled.size)
    counts = np.array([release.count for release in noisy])
    per_count = {
        "cosine": z * cosine.sensitivity(spec) / (0.3 * 8.0),  # 8 = sqrt(L)
        "histogram": np.sqrt(spec.bins / 64) * z * 8.0,  # a mean of L totals of B bins
    }[name]
    assert abs(counts.mean() - 400) < 5 * per_count / np.sqrt(40)
    assert 0.5 < counts.std(ddof=1) / per_count < 1.7  # chi-square with 39 degrees: below 1e-6 each side


def test_cap_leaves_ordinary_rows_alone_and_binds_absurd_ones():
    spec = SlicedReference(kind="sliced", directions=512, coefficients=8)
    full = cosine.cap(spec) / 0.65
    assert full**2 == pytest.approx(512 * (sum(1 / j**2 for j in range(1, 9)) + 0.09))
    rng = np.random.default_rng(1)
    norm = np.sqrt(D) * 1.5
    for length, low, high in [(np.sqrt(D), 0.5, 0.63), (norm, 0.55, 0.645), (1e5, 0.95, 1.0)]:
        direction = rng.standard_normal((5, D))
        rows = length * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        sums = [summarise(row[None], spec, SPACE).sums for row in rows]
        lengths = [np.sqrt((s**2).sum() + 0.09 * 512) / full for s in sums]
        assert low < min(lengths)
        assert max(lengths) <= high


def test_histogram_releases_whole_numbers_that_may_be_negative():
    release = histogram.privatise(np.zeros((3, D)), SPECS["histogram"], SPACE, 2.0, noise=seeded(0))
    np.testing.assert_array_equal(release.sums, np.rint(release.sums))
    assert release.sums.min() < 0


@pytest.mark.parametrize("name", SPECS)
def test_count_of_almost_nothing_is_at_least_one(name):
    row = np.zeros((1, D))
    counts = [MODULES[name].privatise(row, SPECS[name], SPACE, 8.0, noise=seeded(s)).count for s in range(30)]
    assert min(counts) == 1.0


@pytest.mark.parametrize("name", SPECS)
def test_blocks_do_not_change_the_sums(name, monkeypatch):
    rows = mixture(50, np.random.default_rng(2))
    whole = MODULES[name].privatise(rows, SPECS[name], SPACE, 2.0, noise=seeded(1))
    monkeypatch.setattr("tailweave.protocols.privacy.mechanisms.grid._BLOCK", 1024)
    cut = MODULES[name].privatise(rows, SPECS[name], SPACE, 2.0, noise=seeded(1))
    np.testing.assert_array_equal(whole.sums, cut.sums)


def test_histogram_refuses_noise_too_small_for_whole_numbers():
    with pytest.raises(ValueError, match="lower epsilon"):
        histogram.privatise(np.zeros((3, D)), SPECS["histogram"], SPACE, 0.4, noise=seeded(0))


@pytest.mark.parametrize(
    ("rows", "epsilon", "table"),
    [(1000, 0.5, 9.3), (1000, 1.0, 5.0), (1000, 2.0, 2.9), (10_000, 1.0, 1.4)],
)
def test_utility_of_the_cosine_sketch_as_in_the_notes(rows, epsilon, table):
    """RMS error of h that is due to noise, in % of SD(h); the notes' cells also hold 1.3 % of other error."""
    spec = SlicedReference(kind="sliced", directions=512, coefficients=8)
    rng = np.random.default_rng(5)
    private = mixture(rows, rng)
    candidates = np.vstack([mixture(125, rng), 1.5 * rng.standard_normal((40, D))])
    release = cosine.privatise(private, spec, SPACE, noise_multiplier(epsilon, 1e-6), noise=seeded(3))
    exact = summarise(private, spec, SPACE)
    h, noisy = (Sliced(s.sums / s.count, spec, SPACE).potential(candidates) for s in (exact, release))
    spread = Empirical.of(private[:2000]).potential(candidates).std()
    percent = 100 * (noisy - h).std() / spread
    expected = np.sqrt(table**2 - 1.3**2)
    assert expected / 1.5 < percent < expected * 1.5
