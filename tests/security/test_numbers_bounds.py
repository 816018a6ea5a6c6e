# SPDX-License-Identifier: Apache-2.0
"""Whether a release fails depends on the question, never on a value of a row: everything stays finite.

What is drawn are the maps that a server may send, extreme ones above all, and any finite rows.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.encoders import SmallConv
from tailweave.clients.features import received_features
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FARTHEST, LARGEST, FeatureMap
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.secure_sum.share import noisy_share
from tailweave.protocols.secure_sum.sketches import to_words

ROWS, COLUMNS, DIMENSIONS = 12, 3, 2
NOISED = PrivacySpec(epsilon=2.0, min_rows=1)
SPECS = (
    SlicedReference(kind="sliced", directions=8, coefficients=4),
    SlicedReference(kind="sliced", basis="histogram", directions=16, bins=8),
    QuantizedReference(kind="quantized", clusters=3),
)
SIZES = st.one_of(
    st.sampled_from([0.0, 1.0, 5e-324, 1e-300, 1e-100, 1e100, 1e99]), st.floats(-LARGEST, LARGEST)
).map(float)
VALUES = st.one_of(
    SIZES, st.sampled_from([1.7e308, -1.7e308, 1e154]), st.floats(allow_nan=False, allow_infinity=False)
)
SCALES = st.one_of(
    st.sampled_from([1.0, 1.0 / LARGEST, LARGEST, 1e-50]), st.floats(1.0 / LARGEST, LARGEST)
).map(float)
RANGES = st.one_of(st.sampled_from([1e-6, 4.0, 1e6]), st.floats(1e-6, 1e6))


def arrays_of(values, *shape):
    count = int(np.prod(shape))
    return st.lists(values, min_size=count, max_size=count).map(lambda v: np.array(v).reshape(shape))


MAPS = st.fixed_dictionaries(
    {
        "offset": arrays_of(SIZES, COLUMNS),
        "weights": arrays_of(SIZES, COLUMNS, DIMENSIONS),
        "center": arrays_of(SIZES, DIMENSIONS),
        "scale": arrays_of(SCALES, 1),
    }
)


def released(rows, features, spec, privacy):
    """Go from the map that came over the wire to the numbers that leave."""
    options = {"noise": SeededNoise(np.random.default_rng(0)), "charge": lambda cost: None}
    if privacy.secure_aggregation:
        numbers = noisy_share(rows, spec, features, privacy, seed=0, silos=3, **options)
        return [to_words(numbers, 3)]
    drawn = np.random.default_rng(1)
    return list(gate.release(rows, spec, features, privacy, seed=0, rng=drawn, **options).arrays().values())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@settings(max_examples=60, deadline=None)
@given(MAPS, arrays_of(VALUES, ROWS, COLUMNS), RANGES, st.sampled_from(SPECS))
def test_no_map_and_no_rows_make_a_release_fail_or_infinite(parts, rows, half_width, spec):
    if isinstance(spec, SlicedReference):
        spec = spec.model_copy(update={"range": half_width})
    features = received_features(parts)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for mapped in (features(rows), features.alike(rows)):
            assert np.abs(mapped).max() <= FARTHEST
        asked = [NOISED, PrivacySpec(min_cluster_size=2)]
        if isinstance(spec, SlicedReference):
            asked.append(NOISED.model_copy(update={"secure_aggregation": True, "honest_silos": 3}))
        for privacy in asked:
            assert all(np.isfinite(part).all() for part in released(rows, features, spec, privacy))


@given(arrays_of(st.floats(-1e99, 1e99), 4, 2))
@settings(max_examples=50, deadline=None)
def test_the_bounds_change_no_ordinary_row_by_a_bit(rows):
    features = FeatureMap(np.zeros(2), np.eye(2), np.zeros(2), 1.0)
    assert np.array_equal(features(rows), rows)
    assert np.array_equal(features.alike(rows), rows)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"offset": np.array([0.0, 2e100, 0.0])}, r"map offset must be at most 1e\+100 in size, got 2e\+100"),
        ({"weights": np.full((3, 2), -2e100)}, r"map weights must be at most 1e\+100 in size, got 2e\+100"),
        ({"center": np.array([0.0, 2e100])}, r"map center must be at most 1e\+100 in size, got 2e\+100"),
        ({"scale": np.array([1e-101])}, r"scale must lie in 1e-100..1e\+100, got 1e-101"),
        ({"scale": np.array([1e101])}, r"scale must lie in 1e-100..1e\+100, got 1e\+101"),
    ],
)
def test_a_map_beyond_the_bounds_is_refused_when_it_is_read(change, said):
    parts = {"offset": np.zeros(3), "weights": np.ones((3, 2)), "center": np.zeros(2), "scale": np.ones(1)}
    with pytest.raises(ValueError, match=said):
        received_features(parts | change)


def test_an_encoder_that_makes_no_numbers_makes_codes_all_the_same():
    made = np.array([[np.nan, np.inf, 1e300], [-np.inf, 1.0, 2.0], [0.0, np.nan, 0.0]])
    odd = type(
        "Odd",
        (),
        {
            "columns": 3,
            "sort": "image",
            "__call__": lambda self, rows: made,
            "alike": lambda self, rows: made,
        },
    )
    features = FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0, odd())
    expected = [[0.0, FARTHEST, FARTHEST], [-FARTHEST, 1.0, 2.0], [0.0, 0.0, 0.0]]
    assert features(np.ones((3, 3))).tolist() == expected
    assert features.alike(np.ones((3, 3))).tolist() == expected


def test_absurd_images_through_absurd_weights_stay_finite():
    pytest.importorskip("torch")
    plain = SmallConv.from_arrays(weights_of(1.0)).arrays()
    wild = plain | {name: np.sign(part) * 1e30 for name, part in plain.items() if "/" in name}
    wild["scale"] = np.array([-1e100, 1e-100])
    parts = {f"encoder/{name}": part for name, part in wild.items()}
    parts |= {"offset": np.zeros(64), "weights": np.ones((64, 2)), "center": np.zeros(2), "scale": np.ones(1)}
    features, rows = received_features(parts), np.full((5, 64), 1.7e308) * np.linspace(-1, 1, 5)[:, None]
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(released(rows, features, SPECS[0], NOISED)[0]).all()
        assert np.isfinite(released(rows, features, SPECS[0], PrivacySpec())[0]).all()
    too_large = parts | {"encoder/code/bias": np.full(64, 2e30)}
    with pytest.raises(ValueError, match=r"code/bias must be at most 1e\+30 in size, got 2e\+30"):
        received_features(too_large)
    with pytest.raises(ValueError, match="deviation must be at least 1e-100, got 1e-101"):
        received_features(parts | {"encoder/scale": np.array([0.0, 1e-101])})


def weights_of(size):
    from tailweave.clients.encoders.small_conv import _shapes

    shapes = {name: shape for name, shape in _shapes((1, 8, 8)).items() if not name.startswith("back/")}
    rng = np.random.default_rng(0)
    drawn = {name: size * rng.normal(size=shape) for name, shape in shapes.items()}
    return drawn | {"scale": np.array([0.0, 1.0]), "image": np.array([1.0, 8.0, 8.0])}
