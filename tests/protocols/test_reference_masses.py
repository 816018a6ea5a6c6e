# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import weave
from tailweave.protocols.references.masses import silo_masses
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import summarise

SPACE = PublicSpace(np.zeros(3), 1.0, 0)
SPECS = {
    "quantized": QuantizedReference(kind="quantized", clusters=4),
    "cosine": SlicedReference(kind="sliced", directions=8, coefficients=3),
    "histogram": SlicedReference(kind="sliced", basis="histogram", directions=8, bins=6),
    "barycenter": SlicedReference(
        kind="sliced", basis="histogram", directions=8, bins=6, aggregate="barycenter"
    ),
}
ROWS = (50, 70, 30)


def released(spec):
    rng = np.random.default_rng(0)
    if spec.kind == "quantized":
        return [
            QuantizedSummary(rng.standard_normal((2, 3)), np.array([20.0, n - 20.0]), rng.random((2, 3)))
            for n in ROWS
        ]
    return [summarise(rng.standard_normal((n, 3)) + i, spec, SPACE) for i, n in enumerate(ROWS)]


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


def bytes_of(arrays):
    return {name: array.tobytes() for name, array in arrays.items()}


def test_weights_that_are_the_rows_change_no_bit(spec):
    summaries = released(spec)
    assert bytes_of(weave(summaries, spec, weights=np.array(ROWS, dtype=float))) == bytes_of(
        weave(summaries, spec)
    )


def test_the_unit_of_weights_does_not_matter(spec):
    summaries = released(spec)
    a, b = (weave(summaries, spec, weights=unit * np.array([1.0, 2.0, 0.5])) for unit in (1.0, 40.0))
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-12)


def test_a_silo_of_no_weight_is_out(spec):
    summaries = released(spec)
    with_zero = weave(summaries, spec, weights=np.array([50.0, 0.0, 30.0]))
    without = weave([summaries[0], summaries[2]], spec)
    for name in without:
        np.testing.assert_allclose(with_zero[name], without[name], rtol=1e-12, atol=1e-15)


def test_weights_are_shares_of_the_mixture():
    spec = SPECS["quantized"]
    masses = weave(released(spec), spec, weights=np.array([1.0, 1.0, 2.0]))["counts"]
    assert masses.reshape(3, 2).sum(axis=1) == pytest.approx([0.25, 0.25, 0.5])
    assert masses[:2] == pytest.approx([0.25 * 20 / 50, 0.25 * 30 / 50])
    cosine = SPECS["cosine"]
    sketches = released(cosine)
    means = [s.sums / s.count for s in sketches]
    woven = weave(sketches, cosine, weights=np.array([1.0, 1.0, 2.0]))["sketch"]
    np.testing.assert_allclose(woven, (means[0] + means[1] + 2 * means[2]) / 4, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.ones(2), r"weights must have shape \(3,\), got \(2,\)"),
        (np.array([1.0, -1.0, 1.0]), "weights must be finite, non-negative and not all zero"),
        (np.zeros(3), "weights must be finite, non-negative and not all zero"),
        (np.array([1.0, np.nan, 1.0]), "weights must be finite, non-negative and not all zero"),
    ],
)
def test_refuses_weights_that_do_not_fit(spec, weights, said):
    with pytest.raises(ValueError, match=said):
        weave(released(spec), spec, weights=weights)


def test_rows_are_the_default():
    assert silo_masses([3.0, 4.0], None).tolist() == [3.0, 4.0]
