# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.masses import silo_masses
from tailweave.protocols.references.pairs import CosinePairs, SlicedPairs
from tailweave.protocols.references.sliced import (
    Sliced,
    SlicedSummary,
    aggregate,
    potentials,
    slicing_constant,
    summarise,
)

COSINE = SlicedReference(kind="sliced", basis="cosine", directions=40, coefficients=6)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=40, bins=50)
BARYCENTER = HISTOGRAM.model_copy(update={"aggregate": "barycenter"})
BOTH = pytest.mark.parametrize("spec", [COSINE, HISTOGRAM], ids=["cosine", "histogram"])


def space(d=3, scale=1.3, seed=5):
    return PublicSpace(np.linspace(-1, 1, d), scale, seed)


def cloud(n, seed=0, d=3):
    return np.random.default_rng(seed).standard_normal((n, d))


def woven(rows, spec, where=None):
    where = where or space()
    return Sliced(aggregate([summarise(rows, spec, where)], spec), spec, where)


def test_slicing_constant_closed_forms():
    assert slicing_constant(1) == pytest.approx(1.0)
    assert slicing_constant(2) == pytest.approx(np.pi / 2)  # 1 / mean |cos|
    assert slicing_constant(3) == pytest.approx(2.0)  # theta_1 is uniform on [-1, 1]
    assert slicing_constant(32) == pytest.approx(7.03, abs=0.005)  # as documented


@pytest.mark.parametrize("d", [2, 5, 20])
def test_slicing_constant_against_the_surface_integral(d):
    top = quad(lambda a: abs(np.cos(a)) * np.sin(a) ** (d - 2), 0, np.pi, points=[np.pi / 2])[0]
    bottom = quad(lambda a: np.sin(a) ** (d - 2), 0, np.pi)[0]
    assert slicing_constant(d) == pytest.approx(bottom / top, rel=1e-9)


def test_sketch_shape():
    assert COSINE.shape == (40, 6)
    assert HISTOGRAM.shape == (40, 50)


def test_cosine_sums_against_a_slow_loop():
    rows, where = cloud(5), space()
    found = summarise(rows, COSINE, where)
    slow = np.zeros((40, 6))
    for direction, line in zip(where.directions(40), slow, strict=True):
        for row in rows:
            u = min(max((direction @ (row - where.center) / 1.3 + 4.0) / 8.0, 0.0), 1.0)
            line += [np.cos(np.pi * j * u) / j for j in range(1, 7)]
    np.testing.assert_allclose(found.sums, slow, atol=1e-12)
    assert found.count == 5.0


def test_histogram_sums_against_numpy():
    rows, where = cloud(30), space()
    places = (rows - where.center) @ where.directions(40).T / 1.3
    slow = [np.histogram(np.clip(column, -4, 4), 50, (-4, 4))[0] for column in places.T]
    assert summarise(rows, HISTOGRAM, where).sums.tolist() == np.array(slow).tolist()


@BOTH
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=5), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_sum_of_sketches_is_the_sketch_of_pooled_rows(spec, sizes, seed):
    rows = cloud(sum(sizes), seed)
    silos = [summarise(part, spec, space()) for part in np.split(rows, np.cumsum(sizes)[:-1])]
    pooled = summarise(rows, spec, space())
    np.testing.assert_allclose(sum(s.sums for s in silos), pooled.sums, atol=1e-12)  # up to 100 terms below 1
    assert sum(s.count for s in silos) == pooled.count == len(rows)
    np.testing.assert_allclose(aggregate(silos, spec), pooled.sums / len(rows), atol=1e-13)


@BOTH
def test_mixture_weighs_silos_by_rows(spec):
    a, b = summarise(cloud(30, 1), spec, space()), summarise(cloud(10, 2) + 1.0, spec, space())
    expected = 0.75 * a.sums / 30 + 0.25 * b.sums / 10
    np.testing.assert_allclose(aggregate([a, b], spec), expected, atol=1e-14)


def test_barycenter_of_shifted_silos_lies_between_them():
    where, rows, gap = PublicSpace(np.zeros(1), 1.0, 0), cloud(4000, 3, d=1), 2.0
    spec = BARYCENTER.model_copy(update={"directions": 1})
    silos = [summarise(rows + by, spec, where) for by in (-gap / 2, gap / 2)]
    found = aggregate(silos, spec)[0]
    middles = -4.0 + 8.0 * (np.arange(50) + 0.5) / 50
    side = float(where.directions(1)[0, 0])
    # moved points lose less than a bin (8 / 50); the spread stays that of one silo, not of the mixture
    assert abs(found @ middles - side * rows.mean()) < 8 / 50
    assert found @ middles**2 - (found @ middles) ** 2 == pytest.approx(rows.var(), abs=0.15)
    mixed = aggregate(silos, spec.model_copy(update={"aggregate": "mixture"}))[0]
    assert mixed @ middles**2 - (mixed @ middles) ** 2 == pytest.approx(rows.var() + (gap / 2) ** 2, abs=0.15)


def test_barycenter_does_not_count_rows_twice():
    # silos of the same shape and other sizes: the barycenter is that shape, whatever the counts
    small = summarise(cloud(200, 4), BARYCENTER, space())
    large = SlicedSummary(small.sums * 9, small.count * 9)
    np.testing.assert_allclose(aggregate([small, large], BARYCENTER), small.sums / 200, atol=3 / 1024)


def test_potential_approximates_the_mean_distance():
    d, count = 3, 2000
    spec = SlicedReference(kind="sliced", basis="histogram", directions=count, bins=1024, range=6.0)
    where, rows, x = PublicSpace(np.zeros(d), 1.0, 8), cloud(40, 1), cloud(6, 2)
    gaps = np.abs((x[:, None, :] - rows) @ where.directions(count).T).mean(axis=1)  # (6, L): mean over rows
    error = slicing_constant(d) * gaps.std(axis=1) / np.sqrt(count)
    bin_error = slicing_constant(d) * 12.0 / 1024 / 2
    found = woven(rows, spec, where).potential(x)
    exact = Empirical.of(rows).potential(x)
    # 6 points at 6 standard errors over directions: false-alarm rate below 2e-8
    assert (np.abs(found - exact) < 6 * error + bin_error).all()
    assert (6 * error + bin_error < 0.15 * exact).all()


def test_bases_agree_as_they_grow():
    rows, x = cloud(50, 3), cloud(10, 4)
    fine = woven(rows, HISTOGRAM.model_copy(update={"bins": 2048})).potential(x)
    for coefficients in (8, 64, 512):
        reference = woven(rows, COSINE.model_copy(update={"coefficients": coefficients}))
        # tails of the series (4 / pi^2 J) and of the mean offset (2 / pi^2 J), and half a bin
        bound = reference.unit * (6 / (np.pi**2 * coefficients) + 0.5 / 2048)
        assert np.abs(reference.potential(x) - fine).max() <= bound


def test_in_one_dimension_the_potential_is_the_mean_distance():
    where = PublicSpace(np.zeros(1), 1.0, 0)
    spec = SlicedReference(kind="sliced", basis="histogram", directions=3, bins=4096, range=5.0)
    rows, x = cloud(30, 5, d=1), cloud(20, 6, d=1)
    found = woven(rows, spec, where).potential(x)
    np.testing.assert_allclose(found, np.abs(x - rows.T).mean(axis=1), atol=10 / 4096 / 2)  # half a bin


def test_unit_is_the_length_of_the_interval_times_the_slicing_constant():
    assert woven(cloud(3), COSINE).unit == pytest.approx(2 * 4.0 * 1.3 * 2.0)


@BOTH
def test_potential_does_not_depend_on_units(spec):
    rows, x = cloud(30, 7), cloud(5, 8)
    here = woven(rows, spec, space()).potential(x)
    where = PublicSpace(space().center * 1000, 1300.0, 5)
    np.testing.assert_allclose(woven(rows * 1000, spec, where).potential(x * 1000), here * 1000, rtol=1e-9)


def test_cosine_pairs_and_potential_have_the_same_form():
    x = cloud(60, 9)
    reference = woven(x, COSINE)
    pairs = reference.pairs(x)
    assert isinstance(pairs, CosinePairs)
    gap = np.mean([pairs.column(i) for i in range(60)], axis=0) - reference.potential(x)
    # the same series in both, so only a constant (which no greedy pick sees) is left: the mean offset's tail
    assert gap.max() - gap.min() < 2e-5 * reference.unit  # float32
    assert abs(gap.mean()) <= reference.unit * (2 / (np.pi**2 * 6) + 1e-5)


def test_histogram_pairs_and_potential_have_the_same_form():
    x = cloud(60, 10)
    for bins in (10, 50, 1000):
        reference = woven(x, HISTOGRAM.model_copy(update={"bins": bins}))
        pairs = reference.pairs(x)
        assert isinstance(pairs, SlicedPairs)
        gap = np.mean([pairs.column(i) for i in range(60)], axis=0) - reference.potential(x)
        # a point stands for its bin: moved by half a bin on average at most, and float32
        assert np.abs(gap).max() <= reference.unit * (0.5 / bins + 1e-5)


@BOTH
def test_points_outside_the_range_are_clipped_not_lost(spec):
    where = space()
    far = woven(np.array([[1e3, 0.0, 0.0]]), spec, where).potential(where.center[None])
    farther = woven(np.array([[1e9, 0.0, 0.0]]), spec, where).potential(where.center[None])
    assert np.isfinite(far).all()
    assert farther == pytest.approx(far, rel=0.05)  # all but a few directions end at the same edge


@BOTH
def test_wire_arrays_round_trip(spec):
    summary = summarise(cloud(10), spec, space())
    back = SlicedSummary.from_arrays(summary.arrays())
    assert back.sums.tobytes() == summary.sums.tobytes()
    assert back.count == 10.0


@BOTH
def test_both_ends_compute_the_same_bytes(spec):
    one, other = (woven(cloud(20), spec, space()).potential(cloud(4, 1)) for _ in range(2))
    assert one.tobytes() == other.tobytes()
    elsewhere = woven(cloud(20), spec, space(seed=6)).potential(cloud(4, 1))
    assert not np.allclose(one, elsewhere, rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"sums": np.zeros((2, 2))}, r"needs arrays \['count', 'sums'\], got \['sums'\]"),
        ({"sums": np.zeros((2, 2)), "count": np.ones(1), "more": np.ones(1)}, "got .*'more'"),
        ({"sums": np.zeros((2, 2)), "count": np.array(3.0)}, r"count must have shape \(1,\), got \(\)"),
        ({"sums": np.zeros((2, 2)), "count": np.zeros(1)}, "count must be finite and positive, got 0.0"),
        ({"sums": np.zeros((2, 2)), "count": -np.ones(1)}, "count must be finite and positive, got -1.0"),
        (
            {"sums": np.zeros((2, 2)), "count": np.array([np.inf])},
            "count must be finite and positive, got inf",
        ),
        ({"sums": np.zeros(2), "count": np.ones(1)}, "sketch sums must be a non-empty matrix"),
        ({"sums": np.full((2, 2), np.nan), "count": np.ones(1)}, "sketch sums must be finite"),
    ],
)
def test_from_arrays_refuses(arrays, message):
    with pytest.raises(ValueError, match=message):
        SlicedSummary.from_arrays(arrays)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((2, 4)), "rows must have 3 columns, got 4"),
        (np.zeros((0, 3)), "rows must be a non-empty matrix"),
        (np.array([[0, 0, np.nan]]), "rows must be finite, got nan in column 2"),
    ],
)
def test_summarise_refuses_rows(rows, message):
    with pytest.raises(ValueError, match=message):
        summarise(rows, COSINE, space())


@BOTH
def test_aggregate_refuses_other_shapes_and_nothing(spec):
    with pytest.raises(ValueError, match=r"sketches must have shape \(40, \d+\), got \[\]"):
        aggregate([], spec)
    with pytest.raises(ValueError, match=r"sketches must have shape \(40, \d+\), got \[.*\(40, 7\)"):
        aggregate([summarise(cloud(2), spec, space()), SlicedSummary(np.zeros((40, 7)), 1.0)], spec)


def test_reference_refuses_a_sketch_of_another_shape():
    with pytest.raises(ValueError, match=r"sketch must have shape \(40, 6\), got \(40, 50\)"):
        Sliced(np.zeros((40, 50)), COSINE, space())
    with pytest.raises(ValueError, match="sketch must be finite"):
        Sliced(np.full((40, 6), np.nan), COSINE, space())


@pytest.mark.parametrize("method", ["potential", "pairs"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 4)), "candidates must have 3 columns, got 4"),
        (np.full((1, 3), np.inf), "must be finite"),
    ],
)
def test_candidates_that_do_not_fit_are_refused(method, x, message):
    with pytest.raises(ValueError, match=message):
        getattr(woven(cloud(3), COSINE), method)(x)


@BOTH
def test_potentials_of_many_sketches_are_those_of_each(spec):
    made = [summarise(cloud(30, seed), spec, space()) for seed in range(3)]
    sketches, x = [s.sums / s.count for s in made], cloud(20, 9)
    found = potentials(sketches, spec, space(), x)
    for row, sketch in zip(found, sketches, strict=True):
        assert np.array_equal(row, Sliced(sketch, spec, space()).potential(x))


@BOTH
def test_a_running_sum_is_the_sum_of_all_to_the_last_bit(spec):
    made = [summarise(cloud(5 + seed % 17, seed), spec, space()) for seed in range(137)]
    masses = silo_masses([s.count for s in made], None)
    scaled = [s.sums * (mass / s.count) for s, mass in zip(made, masses, strict=True)]
    assert np.array_equal(aggregate(made, spec), np.sum(scaled, axis=0) / masses.sum())
