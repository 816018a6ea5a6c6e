# SPDX-License-Identifier: Apache-2.0
"""Reconstruction attacks find rows where theory says that they can, and not where it says they cannot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import quantized, sliced
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.streams import stream
from tailweave.protocols.transport import coupling
from tailweave.protocols.transport.projection import project, towards
from tailweave.simulation.audit.attacks.base import attacks_on
from tailweave.simulation.audit.attacks.inverse_map import rows_from_map
from tailweave.simulation.audit.attacks.invert import row_of_sketch
from tailweave.simulation.audit.attacks.likelihood_ratio import Background, Suspects
from tailweave.simulation.audit.attacks.mixture_density import calibrated_density, log_density
from tailweave.simulation.audit.attacks.sliced_flow import sliced_flow
from tailweave.simulation.audit.attacks.two_rounds import interpolation, rows_from_interpolation, unknown_t
from tailweave.simulation.audit.channel import Channel

D = 6
SPACE = PublicSpace(np.linspace(-1.0, 1.0, D), 2.0, 7)
COSINE = SlicedReference(kind="sliced", directions=64, coefficients=6)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=256, bins=64)
CLUSTERS = QuantizedReference(kind="quantized", clusters=5)


def against(spec):
    return attacks_on(Channel.of(spec, SPACE, PrivacySpec(), silos=1))


def rows(count, name="rows"):
    return SPACE.center + SPACE.scale * stream(0, "test", name).standard_normal((count, D))


def test_a_cosine_sketch_of_one_row_is_the_row():
    for row in rows(20):
        sketch = sliced.summarise(row[None], COSINE, SPACE)
        # arccos-like inversion away from the edges: a few ulp times the interval of 16 feature units
        np.testing.assert_allclose(row_of_sketch(sketch.sums, COSINE, SPACE)[0], row, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3.0, 3.0), min_size=D, max_size=D))
def test_any_row_within_range_comes_back(values):
    row = SPACE.center + np.array(values)
    sketch = sliced.summarise(row[None], COSINE, SPACE)
    np.testing.assert_allclose(row_of_sketch(sketch.sums, COSINE, SPACE)[0], row, atol=1e-9)


def test_clipped_directions_are_left_out():
    row = SPACE.center + np.array(
        [40.0, 0, 0, 0, 0, 0]
    )  # range is 8 feature units: most directions are clipped
    spec = COSINE.model_copy(update={"directions": 256})
    positions = SPACE.project(row[None], SPACE.directions(256), spec.range)
    assert D < ((positions > 0.01) & (positions < 0.99)).sum() < 128
    found = row_of_sketch(sliced.summarise(row[None], spec, SPACE).sums, spec, SPACE)[0]
    np.testing.assert_allclose(found, row, atol=1e-8)


def test_a_histogram_gives_a_row_to_a_fraction_of_its_bins():
    bin_width = 2.0 * HISTOGRAM.range * SPACE.scale / HISTOGRAM.bins  # 0.25
    # errors of 256 directions are uniform within a bin; least squares leaves sd bin sqrt(d/12L) a coordinate
    bound = 6.0 * bin_width / np.sqrt(12.0) * np.sqrt(D / HISTOGRAM.directions)
    for row in rows(20):
        sketch = sliced.summarise(row[None], HISTOGRAM, SPACE)
        assert np.abs(row_of_sketch(sketch.sums, HISTOGRAM, SPACE)[0] - row).max() < bound


def test_direct_reading_finds_lone_rows_and_nothing_in_crowds():
    few = rows(3)
    lone = quantized.summarise(few, 3, 1, rng=stream(0, "k"))
    assert {tuple(r) for r in against(CLUSTERS).read(lone).round(9)} == {tuple(r) for r in few.round(9)}
    equal = sliced.summarise(np.repeat(few[:1], 5, axis=0), COSINE, SPACE)
    np.testing.assert_allclose(against(COSINE).read(equal)[0], few[0], atol=1e-10)
    crowd = sliced.summarise(rows(100), COSINE, SPACE)
    assert np.linalg.norm(rows(100) - against(COSINE).read(crowd), axis=1).min() > 0.1


@pytest.mark.parametrize("smallest", [1, 10, 40])
def test_differencing_undoes_clusters_of_any_size_and_seed(smallest):
    data, new = rows(120), rows(1, "new")
    before = quantized.summarise(data, 5, smallest, rng=stream(0, "before"))
    after = quantized.summarise(np.vstack([data, new]), 5, smallest, rng=stream(0, "after"))
    np.testing.assert_allclose(against(CLUSTERS).added(before, after), new, atol=1e-10)


def test_differencing_undoes_sketches():
    data, new = rows(120), rows(1, "new")
    for spec, tolerance in ((COSINE, 1e-9), (HISTOGRAM, 0.1)):
        before = sliced.summarise(data, spec, SPACE)
        after = sliced.summarise(np.vstack([data, new]), spec, SPACE)
        np.testing.assert_allclose(against(spec).added(before, after), new, atol=tolerance)


@pytest.mark.parametrize("spec", [COSINE, HISTOGRAM], ids=["cosine", "histogram"])
def test_particles_flow_into_the_rows_of_a_tiny_silo(spec):
    few = rows(5)
    found = sliced_flow(sliced.summarise(few, spec, SPACE), spec, SPACE, rng=stream(0, "flow"))
    nearest = np.linalg.norm(few[:, None] - found[None], axis=2).min(axis=1)
    apart = np.linalg.norm(few[:, None] - few[None], axis=2)[np.triu_indices(5, 1)].min()
    assert nearest.max() < 0.02 * apart


def test_noise_keeps_particles_away():
    few = rows(5)
    exact = sliced.summarise(few, COSINE, SPACE)
    noise = stream(0, "noise").normal(0.0, 20.0, exact.sums.shape)  # epsilon near 2
    found = sliced_flow(sliced.SlicedSummary(exact.sums + noise, 5.0), COSINE, SPACE, rng=stream(0, "flow"))
    assert np.linalg.norm(few[:, None] - found[None], axis=2).min() > 0.2


def test_barycentric_projections_are_the_rows():
    data = rows(40)
    support = stream(0, "support").standard_normal((80, D))  # two support points a row
    for share in (1.0, 0.3):
        found = rows_from_map(support, towards(support, project(support, data).image, share), share=share)
        assert np.linalg.norm(data[:, None] - found[None], axis=2).min(axis=1).max() < 1e-9
    mixed = project(support[:10], data).image  # fewer points than rows: only averages come back
    assert np.linalg.norm(data[:, None] - mixed[None], axis=2).min() > 0.05


def test_debiasing_hides_nothing_of_an_entropic_map():
    data, support = rows(40), stream(0, "support").standard_normal((40, D))
    reg = 3.0  # a map of means, far from the rows and from the atoms
    plan = coupling.entropic(support, data, np.ones(40), np.ones(40), reg).plan
    moved = project(support, data, entropic_reg=reg).image
    undone = rows_from_map(support, towards(support, moved, 0.4), share=0.4, entropic_reg=reg)
    np.testing.assert_allclose(undone, plan @ data / plan.sum(axis=1, keepdims=True), atol=1e-10)
    assert np.abs(undone - moved).max() > 0.1


def test_two_rounds_give_t_and_the_rows():
    data, rng = rows(40), stream(0, "rounds")
    supports = [rng.standard_normal((40, D)) + shift for shift in (0.0, 2.0)]
    sent = [interpolation(x, data, t, rng=rng) for x, t in zip(supports, (0.2, 0.7), strict=True)]
    first, second = unknown_t((supports[0], sent[0]), (supports[1], sent[1]))
    assert (first, second) == pytest.approx((0.2, 0.7), abs=1e-10)
    found = rows_from_interpolation(supports[0], sent[0], first)
    assert np.linalg.norm(data[:, None] - found[None], axis=2).min(axis=1).max() < 1e-8
    with pytest.raises(ValueError, match=r"t must be in \(0, 1\], got 0"):
        interpolation(supports[0], data, 0.0, rng=rng)


def test_likelihood_ratio_agrees_with_a_dense_solve():
    rng = stream(0, "lr")
    auxiliary, candidates = rng.standard_normal((30, 12)), rng.standard_normal((7, 12))
    total, n, sd, ridge = rng.standard_normal(12) * 5, 20, 1.5, 0.1
    mean, covariance = auxiliary.mean(axis=0), np.cov(auxiliary.T)
    spread = n * covariance + (sd**2 + n * ridge * np.trace(covariance) / 12) * np.eye(12)
    with_row = [multivariate_normal(n * mean + (c - mean), spread).logpdf(total) for c in candidates]
    without = multivariate_normal(n * mean, spread).logpdf(total)
    scores = Suspects.of(candidates, Background.of(auxiliary)).scores(total, n, sd, (ridge, 1.0))
    np.testing.assert_allclose(scores[0], np.array(with_row) - without, rtol=1e-8)
    wide = Background.of(rng.standard_normal((5, 12)))  # fewer rows than features: rank 4
    assert wide.basis.shape == (4, 12)
    with pytest.raises(ValueError, match="2 different rows"):
        Background.of(np.ones((3, 4)))


def test_density_agrees_with_scipy_and_shadows_calibrate_it():
    rng = stream(0, "density")
    summary = QuantizedSummary(rows(3), np.array([1.0, 2.0, 5.0]), rng.uniform(0.5, 2.0, (3, D)))
    x = rows(8, "x")
    parts = [
        multivariate_normal(c, np.diag(v)).pdf(x)
        for c, v in zip(summary.centroids, summary.variances, strict=True)
    ]
    np.testing.assert_allclose(log_density(x, summary, 1e-3), np.log(summary.counts / 8 @ np.array(parts)))
    floored = QuantizedSummary(summary.centroids, summary.counts, np.zeros((3, D)))
    raised = QuantizedSummary(summary.centroids, summary.counts, np.full((3, D), 0.7))
    np.testing.assert_allclose(log_density(x, floored, 0.7), log_density(x, raised, 1e-9))
    usual = np.array([log_density(x, s, 1e-3) for s in (summary, raised)])
    expected = (log_density(x, floored, 1e-3) - usual.mean(axis=0)) / usual.std(axis=0, ddof=1)
    np.testing.assert_allclose(calibrated_density(x, floored, [summary, raised], 1e-3), expected)
    with pytest.raises(ValueError, match="2 summaries or more, got 1"):
        calibrated_density(x, summary, [raised], 1e-3)
