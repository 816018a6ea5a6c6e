# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import rows_bucket
from tailweave.protocols.references import weave
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import SlicedSummary, summarise
from tailweave.server.controls import inspect
from tailweave.server.controls.bounds import COUNT_MARGIN, RADIUS, breaches, bucket_end

SPACE = PublicSpace(np.array([1.0, -1.0]), 2.0, 3)
QUANTIZED = QuantizedReference(kind="quantized", clusters=4)
COSINE = SlicedReference(kind="sliced", directions=16, coefficients=4)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=16, bins=8)


def clusters(seed, rows=100.0, shift=0.0):
    rng = np.random.default_rng(seed)
    return QuantizedSummary(rng.standard_normal((4, 2)) + shift, np.full(4, rows / 4), np.full((4, 2), 0.5))


def sketch(spec, seed=0, rows=300):
    return summarise(1.0 + np.random.default_rng(seed).standard_normal((rows, 2)), spec, SPACE)


@pytest.mark.parametrize(
    ("bucket", "end"), [(0, 1), (1, 2), (2, 5), (5, 10), (10, 20), (200, 500), (5000, 10000)]
)
def test_bucket_ends_where_the_next_begins(bucket, end):
    assert bucket_end(bucket) == end
    assert rows_bucket(end) == end
    assert rows_bucket(end - 1) == bucket


@pytest.mark.parametrize("value", [3, 15, 2001])
def test_refuses_what_is_no_bucket(value):
    with pytest.raises(ValueError, match="rows_at_least must be 0 or 1, 2 or 5 times a power of ten"):
        bucket_end(value)


def test_counts_up_to_the_margin_pass():
    most = COUNT_MARGIN * 500
    assert breaches(clusters(0, most), QUANTIZED, SPACE, rows_at_least=200) == []
    assert "claims 751 rows" in breaches(clusters(0, most + 1), QUANTIZED, SPACE, rows_at_least=200)[0]
    assert breaches(clusters(0, 1e12), QUANTIZED, SPACE) == []


@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_a_cluster_up_to_the_radius_passes(spread):
    """|c - center|^2 + trace of the variances = (RADIUS scale)^2 d, to within rounding."""
    most_sq = RADIUS**2 * 4.0 * 2
    at = SPACE.center + np.array([[np.sqrt(most_sq - 2 * spread), 0.0]])
    on, over = (
        QuantizedSummary(at + [[step, 0.0]], np.array([9.0]), np.full((1, 2), spread)) for step in (0.0, 1e-3)
    )
    assert breaches(on, QUANTIZED, SPACE) == []
    assert "public radii from the centre" in breaches(over, QUANTIZED, SPACE)[0]


def test_an_honest_sketch_passes_even_at_the_edge():
    edge = np.full((50, 2), 1e9)  # every projection is clipped to 0 or 1, so every |sum| is count / j
    for spec in (COSINE, HISTOGRAM):
        assert breaches(sketch(spec), spec, SPACE) == []
        assert breaches(summarise(edge, spec, SPACE), spec, SPACE) == []


def test_a_cosine_sum_over_its_bound_is_named_and_noise_is_allowed_for():
    own = sketch(COSINE)
    sums = own.sums.copy()
    sums[3, 1] = 300 / 2 + 2.0
    lie = SlicedSummary(sums, own.count)
    assert breaches(lie, COSINE, SPACE) == ["1 sums of cos(pi j u) / j exceed count / j in size"]
    assert breaches(lie, COSINE, SPACE, noise=1.0) == []


def test_histograms_must_be_counts_that_add_up():
    own = sketch(HISTOGRAM)
    negative, more = own.sums.copy(), own.sums.copy()
    negative[0, :2] = [-5, own.sums[0, :2].sum() + 5]
    more[1, 0] += 1
    assert breaches(SlicedSummary(negative, 300), HISTOGRAM, SPACE) == ["1 bins hold a negative count"]
    assert "the bins of 1 directions do not add up" in breaches(SlicedSummary(more, 300), HISTOGRAM, SPACE)[0]
    assert breaches(SlicedSummary(negative, 300), HISTOGRAM, SPACE, noise=1.0) == []


def test_quarantine_is_visible_weightless_and_leaves_the_others_alone():
    named = {f"silo-{i}": clusters(i) for i in range(5)} | {"silo-9": clusters(9, shift=1e3)}
    seen = inspect(named, QUANTIZED, SPACE)
    assert list(seen.quarantined) == ["silo-9"]
    assert seen.weights == {f"silo-{i}": 100.0 for i in range(5)} | {"silo-9": 0.0}
    woven = weave(list(named.values()), QUANTIZED, weights=seen.masses(list(named)))
    honest = weave(list(named.values())[:-1], QUANTIZED)
    assert all(woven[part].tobytes() == honest[part].tobytes() for part in honest)


def test_absurd_silos_do_not_hide_odd_ones():
    """Two far blobs would set the median: they are out before distances are taken."""
    named = {f"silo-{i}": clusters(i) for i in range(5)} | {"silo-5": clusters(5, shift=4.0)}
    blobs = {"silo-6": clusters(6, shift=1e3), "silo-7": clusters(7, shift=1e3)}
    assert set(inspect(named | blobs, QUANTIZED, SPACE).quarantined) == {"silo-5", "silo-6", "silo-7"}


def test_all_may_be_quarantined_and_then_weigh_nothing():
    seen = inspect({"a": clusters(0, shift=1e4), "b": clusters(1, shift=1e4)}, QUANTIZED, SPACE)
    assert set(seen.quarantined) == {"a", "b"}
    with pytest.raises(ValueError, match="weights must be finite, non-negative and not all zero"):
        weave([clusters(0), clusters(1)], QUANTIZED, weights=seen.masses(["a", "b"]))


def test_two_silos_cannot_suspect_each_other():
    seen = inspect({"a": clusters(0), "b": clusters(1, shift=3.0)}, QUANTIZED, SPACE)
    assert seen.quarantined == {}


def test_the_cap_holds_among_the_trusted():
    sizes = {"a": 100.0, "b": 100.0, "c": 100.0, "d": 100.0, "e": 1e6}
    named = {silo: clusters(index, rows) for index, (silo, rows) in enumerate(sizes.items())}
    seen = inspect(named, QUANTIZED, SPACE)
    masses = seen.masses(sorted(named))
    assert masses.max() / masses.sum() == pytest.approx(0.25)


def test_same_order_or_not_every_silo_weighs_the_same():
    named = {f"silo-{i}": sketch(COSINE, i, 200 + 100 * i) for i in range(6)}
    turned = dict(reversed(named.items()))
    assert inspect(named, COSINE, SPACE) == inspect(turned, COSINE, SPACE)


def test_refuses_summaries_of_another_kind_and_noise_below_zero():
    with pytest.raises(ValueError, match="sliced needs summaries of its own kind, got others from a"):
        inspect({"a": clusters(0), "b": sketch(COSINE)}, COSINE, SPACE)
    with pytest.raises(ValueError, match="noise must be a standard deviation"):
        inspect({"b": sketch(COSINE)}, COSINE, SPACE, noise=-1.0)
