# SPDX-License-Identifier: Apache-2.0
"""Tests of tailweave.protocols.references itself: what goes from a silo to the server and back, by kind."""

import numpy as np
import pytest

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical, proxy, read_summary, release, weave
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import Sliced, SlicedSummary

QUANTIZED = QuantizedReference(kind="quantized", clusters=6, samples=500)
COSINE = SlicedReference(kind="sliced", directions=16, coefficients=4)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=16, bins=12)
BARYCENTER = HISTOGRAM.model_copy(update={"aggregate": "barycenter"})
SPECS = [QUANTIZED, COSINE, HISTOGRAM, BARYCENTER]
ALL = pytest.mark.parametrize("spec", SPECS, ids=["quantized", "cosine", "histogram", "barycenter"])
SPACE = PublicSpace(np.zeros(2), 1.0, 9)


def silo(seed, spec, n=60):
    rows = np.random.default_rng(seed).standard_normal((n, 2)) + seed % 3
    return release(rows, spec, SPACE, 5, rng=np.random.default_rng(seed))


@ALL
def test_from_silos_to_the_proxy_and_back(spec):
    sent = [silo(k, spec).arrays() for k in range(3)]
    assert all(a.dtype == np.float64 for arrays in sent for a in arrays.values())
    reference = proxy(weave([read_summary(arrays, spec, 2) for arrays in sent], spec), spec, SPACE)
    assert isinstance(reference, Empirical if spec is QUANTIZED else Sliced)
    x = np.random.default_rng(7).standard_normal((9, 2)) + 1
    assert reference.potential(x).shape == (9,)
    assert reference.pairs(x).column(3).shape == (9,)
    again = proxy(weave([read_summary(arrays, spec, 2) for arrays in sent], spec), spec, SPACE)
    assert again.potential(x).tobytes() == reference.potential(x).tobytes()


def test_potential_of_the_proxy_is_near_that_of_the_pooled_rows():
    x = np.array([[1.0, 1.0], [3.0, 3.0], [-1.0, 2.0]])
    rows = [np.random.default_rng(k).standard_normal((60, 2)) + k % 3 for k in range(3)]
    exact = Empirical.of(np.concatenate(rows)).potential(x)
    fine = {"directions": 512, "coefficients": 64, "bins": 256}
    for spec in (QUANTIZED, COSINE.model_copy(update=fine), HISTOGRAM.model_copy(update=fine)):
        sent = [release(r, spec, SPACE, 5, rng=np.random.default_rng(0)) for r in rows]
        found = proxy(weave(sent, spec), spec, SPACE).potential(x)
        # |cos| has a relative spread of .31 / .64: 512 directions give 2 %, and so do 500 pseudo-samples
        np.testing.assert_allclose(found, exact, rtol=0.12, err_msg=str(spec))


def test_pseudo_samples_are_shared_by_all_silos_of_a_seed():
    arrays = weave([silo(0, QUANTIZED)], QUANTIZED)
    one, same = (proxy(arrays, QUANTIZED, SPACE) for _ in range(2))
    other = proxy(arrays, QUANTIZED, PublicSpace(np.zeros(2), 1.0, 10))
    assert len(one.points) == 500
    assert one.points.tobytes() == same.points.tobytes()
    assert one.points.tobytes() != other.points.tobytes()


@ALL
def test_weave_needs_summaries_of_its_own_kind(spec):
    stranger = silo(0, COSINE if spec is QUANTIZED else QUANTIZED)
    with pytest.raises(
        ValueError, match=rf"{spec.kind} needs summaries of its own kind, got \['\w+', '\w+'\]"
    ):
        weave([silo(0, spec), stranger], spec)
    with pytest.raises(ValueError, match=rf"{spec.kind} needs summaries of its own kind, got \[\]"):
        weave([], spec)


def _clusters(k, d=2):
    return QuantizedSummary(np.zeros((k, d)), np.ones(k), np.zeros((k, d))).arrays()


@pytest.mark.parametrize(
    ("arrays", "spec", "message"),
    [
        (_clusters(7), QUANTIZED, "at most 6 clusters were asked for, got 7"),
        (_clusters(3, d=5), QUANTIZED, "centroids must have 2 columns, got 5"),
        (_clusters(3), COSINE, "sliced summary needs arrays"),
        (SlicedSummary(np.zeros((16, 4)), 1.0).arrays(), QUANTIZED, "quantized summary needs arrays"),
        (SlicedSummary(np.zeros((16, 5)), 1.0).arrays(), COSINE, r"must have shape \(16, 4\), got \(16, 5\)"),
        (
            SlicedSummary(np.zeros((16, 4)), 1.0).arrays(),
            HISTOGRAM,
            r"must have shape \(16, 12\), got \(16, 4\)",
        ),
        ({}, COSINE, "sliced summary needs arrays"),
    ],
)
def test_read_summary_refuses_what_was_not_asked_for(arrays, spec, message):
    with pytest.raises(ValueError, match=message):
        read_summary(arrays, spec, 2)


def test_an_exact_histogram_must_be_one_of_rows():
    honest = silo(0, HISTOGRAM).arrays()
    read_summary(honest, HISTOGRAM, 2, exact=True)
    negative, short = honest["sums"].copy(), honest["sums"].copy()
    negative[3, :2] += [-100.0, 100.0]  # the direction still adds up
    short[5, 0] += 1.0
    for sums, message in ((negative, "must not be negative without noise, got -"), (short, "in direction 5")):
        lying = {"sums": sums, "count": honest["count"]}
        with pytest.raises(ValueError, match=message):
            read_summary(lying, HISTOGRAM, 2, exact=True)
        read_summary(lying, HISTOGRAM, 2)  # noise may have done that
    with pytest.raises(ValueError, match="must add up to the count 600 without noise, got 60 in direction 0"):
        read_summary({**honest, "count": np.array([600.0])}, HISTOGRAM, 2, exact=True)


@pytest.mark.parametrize(
    ("arrays", "spec", "message"),
    [
        ({}, COSINE, r"sliced reference needs array 'sketch', got \[\]"),
        ({"sketch": np.zeros((16, 4)), "x": np.zeros(1)}, COSINE, r"got \['sketch', 'x'\]"),
        ({"sketch": np.zeros((4, 16))}, COSINE, r"sketch must have shape \(16, 4\), got \(4, 16\)"),
        ({"sketch": np.zeros((16, 4))}, QUANTIZED, "quantized summary needs arrays"),
    ],
)
def test_proxy_refuses_arrays_that_do_not_fit(arrays, spec, message):
    with pytest.raises(ValueError, match=message):
        proxy(arrays, spec, SPACE)


@ALL
def test_release_refuses_rows_that_are_not_finite(spec):
    with pytest.raises(ValueError, match="rows must be finite"):
        release(np.full((20, 2), np.nan), spec, SPACE, 5, rng=np.random.default_rng(0))


def test_release_honours_the_smallest_cluster():
    rows = np.random.default_rng(3).standard_normal((40, 2))
    summary = release(rows, QUANTIZED, SPACE, 15, rng=np.random.default_rng(0))
    assert summary.counts.min() >= 15
    assert summary.counts.sum() == 40
