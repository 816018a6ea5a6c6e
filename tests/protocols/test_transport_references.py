# SPDX-License-Identifier: Apache-2.0
"""References ``barycenter`` and ``geodesic`` as silos rebuild them from what the server sends."""

import numpy as np
import pytest

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.transported import BarycenterReference, GeodesicReference
from tailweave.protocols.references import Empirical, proxy
from tailweave.protocols.transport.projection import potential

SPACE = PublicSpace(np.zeros(2), 1.0, 5)
ENTROPIC = {"transport": "entropic", "entropic_reg": 0.7}
BARYCENTER = BarycenterReference(kind="barycenter", support=4)
GEODESIC = GeodesicReference(kind="geodesic", support=4)
RNG = np.random.default_rng(0)
ATOMS, SUPPORT, X = RNG.standard_normal((3, 4, 2)), RNG.standard_normal((4, 2)), RNG.standard_normal((6, 2))
WEIGHTS = np.array([3.0, 1.0, 4.0])


def geodesic(spec=GEODESIC, **changes):
    return proxy({"interpolants": ATOMS, "weights": WEIGHTS} | changes, spec, SPACE)


def test_a_barycenter_compares_as_its_points_do():
    reference = proxy({"support": SUPPORT}, BARYCENTER, SPACE)
    plain = Empirical.of(SUPPORT)
    assert isinstance(reference, Empirical)
    assert reference.potential(X).tolist() == plain.potential(X).tolist()
    assert reference.pairs(X).column(2).tolist() == plain.pairs(X).column(2).tolist()
    assert reference.transport_potential(X).tolist() == plain.transport_potential(X).tolist()


def test_potentials_have_the_configured_strength():
    spec = BarycenterReference(kind="barycenter", support=4, **ENTROPIC)
    found = proxy({"support": SUPPORT}, spec, SPACE).transport_potential(X)
    assert found.tolist() == potential(X, SUPPORT, np.ones(4), entropic_reg=0.7).tolist()
    of_silos = geodesic(GeodesicReference(kind="geodesic", support=4, **ENTROPIC)).potentials(X)
    exact = geodesic().potentials(X)
    assert np.abs(of_silos - exact).max() > 0.01


def test_a_geodesic_has_one_calibrated_potential_a_silo():
    reference = geodesic()
    found = reference.potentials(X)
    assert found.shape == (3, 6)
    for row, atoms in zip(found, ATOMS, strict=True):
        f = potential(X, atoms, np.ones(4), entropic_reg=None)
        np.testing.assert_allclose(row, 6 / 5 * (f - f.mean()), atol=1e-12)
    np.testing.assert_allclose(reference.weights, WEIGHTS / 8)


def test_a_geodesic_is_the_mixture_of_its_interpolants_to_all_other_rules():
    found = geodesic().potential(X)
    apart = [Empirical.of(atoms).potential(X) for atoms in ATOMS]
    np.testing.assert_allclose(found, WEIGHTS / 8 @ np.array(apart), atol=1e-7)
    assert len(geodesic().points) == 12
    assert geodesic().masses.sum() == pytest.approx(1.0)


def test_points_of_no_mass_do_not_count():
    held = Empirical.of(SUPPORT[:3], np.array([1.0, 2.0, 3.0]))
    more = Empirical.of(SUPPORT, np.array([1.0, 2.0, 3.0, 0.0]))
    assert more.transport_potential(X).tolist() == held.transport_potential(X).tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"barycenter reference needs array 'support', got \[\]"),
        ({"support": SUPPORT, "x": SUPPORT}, r"got \['support', 'x'\]"),
        ({"support": SUPPORT[:3]}, "must have 4 atoms, got 3"),
        ({"support": SUPPORT[:, :1]}, "must have 2 columns, got 1"),
        ({"support": SUPPORT * np.nan}, "barycenter support must be finite"),
    ],
)
def test_a_barycenter_that_does_not_fit_is_refused(arrays, message):
    with pytest.raises(ValueError, match=message):
        proxy(arrays, BARYCENTER, SPACE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": SUPPORT}, "geodesic reference needs arrays interpolants and weights, got"),
        ({"interpolants": ATOMS[:2]}, r"must have shape \(3, 4, 2\), got \(2, 4, 2\)"),
        ({"interpolants": ATOMS[:, :3]}, r"must have shape \(3, 4, 2\), got \(3, 3, 2\)"),
        ({"interpolants": SUPPORT}, r"must have shape \(3, 4, 2\), got \(4, 2\)"),
        ({"interpolants": ATOMS * np.nan}, "interpolants must be finite"),
        ({"weights": np.array([1.0, 0.0, 1.0])}, "weights positive, got weights"),
        ({"weights": np.array([1.0, -1.0, 1.0])}, "weights of the silos must be finite, non-negative"),
    ],
)
def test_a_geodesic_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        geodesic(**changes)
