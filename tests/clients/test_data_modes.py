# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from tailweave.clients.data.modes import gaussian_modes, sample_modes
from tailweave.clients.samples import DataError
from tailweave.protocols.kinds.sources.gaussian_modes import GaussianModes as Spec


def _spec(**options):
    return Spec.model_validate({"source": "gaussian-modes", **options})


def test_masses_of_the_default_truth():
    truth = gaussian_modes(_spec())
    np.testing.assert_allclose(truth.masses, [0.098] * 10 + [0.01] * 2, rtol=1e-14)
    assert truth.names[0] == "mode-00"
    assert truth.names[-1] == "mode-11"
    assert truth.covariances.shape == (12, 8, 8)
    assert (truth.covariances == np.eye(8)).all()


@pytest.mark.parametrize(("modes", "dimensions", "separation"), [(12, 8, 6.0), (9, 1, 3.0), (120, 2, 0.5)])
def test_means_are_separated_and_not_flung_apart(modes, dimensions, separation):
    means = gaussian_modes(_spec(modes=modes, dimensions=dimensions, separation=separation)).means
    assert means.shape == (modes, dimensions)
    nearest = pdist(means).min()
    assert nearest >= separation * (1 - 1e-14)  # scaling rounds once
    # A cloud of m balls of diameter s needs a width of about s m^(1/d); Gaussian tails and random
    # packing cost a small factor, a cloud that widens too fast a large one.
    assert pdist(means).max() < 6 * separation * modes ** (1 / dimensions)


def test_means_depend_on_modes_and_dimensions_only():
    base = gaussian_modes(_spec())
    assert (base.means == gaussian_modes(_spec(rows=500, **{"rare-mass": 0.03})).means).all()
    assert (gaussian_modes(_spec(separation=12.0)).means == 2.0 * base.means).all()
    assert not np.isin(gaussian_modes(_spec(modes=11)).means, base.means).any()


def test_rare_modes_have_exactly_their_mass():
    rows = sample_modes(gaussian_modes(_spec()), 6000, rng=np.random.default_rng(0))
    names, counts = np.unique(rows.labels, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        f"mode-{j:02d}": 588 if j < 10 else 60 for j in range(12)
    }
    assert rows.columns == tuple(f"x{j}" for j in range(8))


def test_rows_follow_their_modes():
    truth = gaussian_modes(_spec())
    rows = sample_modes(truth, 6000, rng=np.random.default_rng(1))
    for name, mean in zip(truth.names, truth.means, strict=True):
        own = rows.values[rows.labels == name]
        # Each of 96 means is normal with standard error 1/sqrt(n): 6 of them fail by chance with 2e-7.
        assert np.abs(own.mean(axis=0) - mean).max() < 6 / np.sqrt(len(own))
        # A sample variance of unit normals has standard error about sqrt(2/n).
        assert np.abs(own.var(axis=0) - 1.0).max() < 7 * np.sqrt(2 / len(own))
    assert len(set(rows.labels[:50].tolist())) > 3  # in random order, not sorted by mode


def test_draws_belong_to_the_generator_passed():
    truth = gaussian_modes(_spec())
    first, again, other = (sample_modes(truth, 200, rng=np.random.default_rng(s)).values for s in (0, 0, 1))
    assert (first == again).all()
    assert (first != other).any()


def test_bad_input():
    with pytest.raises(DataError, match=r"mode-10 of mass 0.01 has none: use at least 100 rows, got 30"):
        sample_modes(gaussian_modes(_spec()), 30, rng=np.random.default_rng(0))
    with pytest.raises(DataError, match="separation must be finite, got inf"):
        gaussian_modes(_spec().model_copy(update={"separation": float("inf")}))
