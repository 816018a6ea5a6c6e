# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import sliced
from tailweave.protocols.secure_sum.sketches import (
    STEP,
    from_words,
    integer_sketch,
    noise_share,
    pooled_summary,
    sensitivity_steps,
    to_words,
)

COSINE = SlicedReference(kind="sliced", directions=32, coefficients=6)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=32, bins=8)
SPACE = PublicSpace(np.zeros(4), 1.0, 1)


@pytest.fixture(params=[COSINE, HISTOGRAM], ids=["cosine", "histogram"])
def spec(request):
    return request.param


def test_integer_sketches_of_silos_add_up_to_the_pooled_one(spec):
    rng = np.random.default_rng(0)
    silos = [0.7 * rng.standard_normal((n, 4)) for n in (210, 300, 250)]
    pooled = pooled_summary(sum(integer_sketch(rows, spec, SPACE) for rows in silos), spec)
    exact = sliced.summarise(np.concatenate(silos), spec, SPACE)
    assert pooled.count == exact.count
    # Each row's feature moves by at most half a step; rows this near the centre keep off the cap.
    assert np.abs(pooled.sums - exact.sums).max() <= (0 if spec is HISTOGRAM else exact.count * STEP / 2)


def test_one_row_moves_the_sketch_by_at_most_the_sensitivity(spec):
    rng = np.random.default_rng(1)
    limit = sensitivity_steps(spec)
    longest = 0.0
    for row in [
        *rng.standard_normal((40, 4)),
        *(10.0 ** rng.uniform(0, 9, (40, 1)) * rng.standard_normal((40, 4))),
    ]:
        longest = max(longest, float(np.linalg.norm(integer_sketch(row[None], spec, SPACE))))
    assert longest <= limit
    assert longest >= 0.95 * limit


def test_a_barycenter_and_bad_rows_are_refused():
    spec = SlicedReference(kind="sliced", basis="histogram", aggregate="barycenter")
    with pytest.raises(ValueError, match="a secure sum gives a mixture, got aggregate: barycenter"):
        integer_sketch(np.zeros((3, 4)), spec, SPACE)
    with pytest.raises(ValueError, match="rows must have 4 columns, got 3"):
        integer_sketch(np.zeros((3, 3)), COSINE, SPACE)
    with pytest.raises(ValueError, match=r"sums must have shape \(193,\), got \(192,\)"):
        pooled_summary(np.zeros(192, dtype=np.int64), COSINE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**28), 2**28), min_size=1, max_size=20))
def test_words_and_back(values):
    array = np.array(values, dtype=np.int64)
    assert from_words(to_words(array, 5)).tolist() == values


def test_a_sum_of_words_that_fits_never_wraps():
    most = 2**31 // 5
    words = to_words(np.array([most, -most]), 5)
    assert from_words(np.sum([words] * 5, axis=0, dtype=np.uint32)).tolist() == [5 * most, -5 * most]
    for value in (most + 1, -most - 1):
        with pytest.raises(ValueError, match=r"values must be below 2\^31 / 5 silos in size"):
            to_words(np.array([value]), 5)


def test_shares_of_noise_add_up_to_what_was_asked():
    for honest in (1, 3, 5):
        share = noise_share(40.0, honest)
        assert honest * share**2 == pytest.approx(40.0**2)
    assert noise_share(4.0 * np.sqrt(3) * (1 + 1e-12), 3) >= 4.0


@pytest.mark.parametrize(
    ("sigma", "honest", "said"),
    [
        (6.9, 3, "each silo must add noise of at least 4.0 steps, got 3.98"),
        (3.99, 1, "each silo must add noise of at least 4.0 steps, got 3.99"),
        (float("nan"), 2, "each silo must add noise of at least 4.0 steps, got nan"),
        (40.0, 0, "honest must be at least 1 silo, got 0"),
    ],
)
def test_shares_too_small_for_the_grid_are_refused(sigma, honest, said):
    with pytest.raises(ValueError, match=said):
        noise_share(sigma, honest)
