# SPDX-License-Identifier: Apache-2.0
"""References as cosine sketches, against means over points and numerical integration over bins."""

import numpy as np
import pytest

from tailweave.clients.selection import cosine_form as module
from tailweave.clients.selection.cosine_form import cosine_form
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical, cosine, sliced
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream

SPACE = PublicSpace(np.array([0.3, -0.2, 0.0]), 1.2, 4)


def test_a_cosine_sketch_stays_as_it_is():
    spec = SlicedReference(kind="sliced", directions=8, coefficients=3)
    reference = Sliced(np.zeros((8, 3)), spec, SPACE)
    assert cosine_form(reference, SPACE) is reference


def test_points_are_averaged_with_their_masses(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 7)  # several blocks
    points = stream(0, "points").normal(size=(30, 3))
    masses = stream(0, "masses").random(30)
    form = cosine_form(Empirical.of(points, masses), SPACE)
    repeated = np.zeros((256, 8))
    for point, mass in zip(points, masses / masses.sum(), strict=True):
        repeated += mass * sliced.summarise(point[None], form.spec, SPACE).sums
    assert np.allclose(form.sketch, repeated, rtol=0, atol=1e-12)
    assert form.sketch.shape == (256, 8)


def test_a_histogram_is_integrated_over_its_bins():
    spec = SlicedReference(kind="sliced", basis="histogram", directions=5, bins=6, range=3.0)
    masses = stream(0, "bins").random((5, 6))
    masses /= masses.sum(axis=1, keepdims=True)
    form = cosine_form(Sliced(masses, spec, SPACE), SPACE)
    fine = (np.arange(6000) + 0.5) / 6000  # 1000 midpoints a bin: error below 1e-6
    functions = cosine.basis(fine[:, None], 8)[:, 0]  # (6000, J)
    density = np.repeat(masses / 1000, 1000, axis=1)  # (5, 6000)
    assert np.allclose(form.sketch, density @ functions, rtol=0, atol=1e-6)
    assert (form.spec.basis, form.spec.directions, form.spec.range) == ("cosine", 5, 3.0)


def test_both_bases_of_the_same_rows_agree():
    rows = stream(0, "rows").normal(size=(4000, 3))
    forms = []
    for basis in ("cosine", "histogram"):
        spec = SlicedReference(kind="sliced", basis=basis, directions=16, bins=256, coefficients=8)
        summary = sliced.summarise(rows, spec, SPACE)
        forms.append(cosine_form(Sliced(summary.sums / summary.count, spec, SPACE), SPACE).sketch)
    # A bin of width 1/256 moves a row by at most half of it: pi / 512 in each cosine over j.
    assert np.abs(forms[0] - forms[1]).max() < np.pi / 512


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="reference has 2 columns, the space 3"):
        cosine_form(Empirical.of(np.zeros((2, 2))), SPACE)
    with pytest.raises(ValueError, match="must be sliced or made of points, got object"):
        cosine_form(object(), SPACE)
