# SPDX-License-Identifier: Apache-2.0
"""Shrinkage keeps what the noise lets through, and never does worse than the public sketch by much."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.shrinkage import shrink
from tailweave.protocols.references import sliced
from tailweave.protocols.streams import stream

DIMENSION = 5
SPACE = PublicSpace(np.zeros(DIMENSION), 1.0, 0)
SPEC = SlicedReference(kind="sliced", directions=128, coefficients=3)
SAMPLES = stream(0, "public").standard_normal((700, DIMENSION))
TRUTH = 0.9 * stream(1, "truth").standard_normal((4000, DIMENSION)) + 0.4


def sketch(rows, spec=SPEC):
    summary = sliced.summarise(rows, spec, SPACE)
    return summary.sums / summary.count


def noised(values, sd, seed):
    return values + sd * stream(seed, "noise").standard_normal(values.shape)


def risk(estimate, truth):
    return float(((estimate - truth) ** 2).sum(axis=0).mean())


def test_known_answer_with_a_single_axis():
    # One direction: one axis, one block. gap^2 = 9, margin = nu^2 (1 + 3 sqrt 2), signal s^2 = 9 - margin
    spec = SlicedReference(kind="sliced", directions=1, coefficients=1)
    public = sketch(SAMPLES, spec)
    signal = 9.0 - (1.0 + 3.0 * np.sqrt(2.0))
    result = shrink(public + 3.0, np.ones(1), SAMPLES, spec, SPACE)
    np.testing.assert_allclose(result - public, 3.0 * signal / (signal + 1.0), rtol=1e-12)
    np.testing.assert_allclose(shrink(public + 2.0, np.ones(1), SAMPLES, spec, SPACE), public, rtol=1e-12)


def slow(noisy, variance, samples, spec, blocks):
    """The formula of the docstring, with projectors instead of coordinates."""
    public = sketch(samples, spec)
    positions = SPACE.project(samples, SPACE.directions(spec.directions), spec.range)
    result = public.copy()
    for j in range(noisy.shape[1]):
        if spec.basis == "cosine":
            features = np.cos(np.pi * (j + 1) * positions) / (j + 1)
        else:
            features = 1.0 * (positions >= j / spec.bins) * (positions < (j + 1) / spec.bins)
        _, vectors = np.linalg.eigh(np.cov(features, rowvar=False))
        axes, left = vectors[:, ::-1], np.eye(spec.directions)
        gap = noisy[:, j] - public[:, j]
        for start, stop in blocks:
            projector = axes[:, start:stop] @ axes[:, start:stop].T if stop else left
            part, size, left = projector @ gap, np.trace(projector), left - projector
            signal = np.sum(part**2) / size - variance[j] * (1 + 3 * np.sqrt(2 / size))
            result[:, j] += max(0.0, signal) / (max(0.0, signal) + variance[j]) * part
    return result


REST = (None, None)
EIGHT_BINS = SlicedReference(kind="sliced", basis="histogram", directions=40, bins=8)


@pytest.mark.parametrize(
    ("spec", "rows", "blocks"),
    [
        (SPEC, 700, [(0, 16), (16, 32), (32, 64), (64, 128)]),
        (SPEC, 40, [(0, 16), (16, 39), REST]),
        (SPEC, 10, [(0, 9), REST]),
        (SPEC.model_copy(update={"directions": 40}), 700, [(0, 16), (16, 40)]),
        (EIGHT_BINS, 700, [(0, 16), (16, 40)]),
    ],
)
def test_it_is_the_formula_with_projectors(spec, rows, blocks):
    variance = np.resize([0.01, 0.004, 0.0001], 8 if spec is EIGHT_BINS else 3)
    noisy = sketch(TRUTH, spec)
    noisy = noisy + np.sqrt(variance) * stream(2, "noise").standard_normal(noisy.shape)
    result = shrink(noisy, variance, SAMPLES[:rows], spec, SPACE)
    np.testing.assert_allclose(result, slow(noisy, variance, SAMPLES[:rows], spec, blocks), atol=1e-9)
    assert np.abs(result - sketch(SAMPLES[:rows], spec)).max() > 0.01


@pytest.mark.parametrize("sd", [0.003, 0.03, 0.1])
def test_it_beats_the_noisy_and_the_public_sketch_where_there_is_signal(sd):
    truth, public = sketch(TRUTH), sketch(SAMPLES)
    shrunk = np.mean([_risk_of(truth, sd, seed) for seed in range(5)])
    assert shrunk < 0.5 * 128 * sd**2  # of the noise in 128 directions, five axes or so hold the signal
    assert shrunk < 0.7 * risk(public, truth)


def _risk_of(truth, sd, seed):
    return risk(shrink(noised(truth, sd, seed), np.full(3, sd**2), SAMPLES, SPEC, SPACE), truth)


def test_more_directions_do_not_drown_the_signal():
    # Noise per coefficient grows as sqrt(L), as its sensitivity does: what is lost must not grow with it.
    lost = []
    for directions in (64, 256):
        spec = SPEC.model_copy(update={"directions": directions})
        truth, sd = sketch(TRUTH, spec), 0.06 * np.sqrt(directions / 128)
        found = [
            shrink(noised(truth, sd, seed), np.full(3, sd**2), SAMPLES, spec, SPACE) for seed in range(5)
        ]
        lost.append(np.mean([risk(one, truth) for one in found]) / directions)
    assert lost[1] < 1.3 * lost[0]


@pytest.mark.parametrize("sd", [0.1, 1.0, 10.0])
def test_where_the_public_sketch_is_right_noise_is_not_let_through(sd):
    # A block of 16 lets noise through with probability .0075, and then little of it: here 20 x 3 x 4 blocks.
    truth = sketch(SAMPLES)
    let_through = [_risk_of(truth, sd, seed) for seed in range(20)]
    assert np.mean(let_through) < 0.5 * sd**2  # of 128 sd^2 noise; with no margin it is about 3 sd^2
    assert np.median(let_through) == 0.0


def test_no_noise_returns_the_sketch_and_hopeless_noise_the_public_one():
    noisy = noised(sketch(TRUTH), 1.0, 3)
    exact = shrink(noisy, np.zeros(3), SAMPLES, SPEC, SPACE)
    np.testing.assert_allclose(exact, noisy, atol=1e-12)
    np.testing.assert_array_equal(shrink(noisy, np.full(3, 1e9), SAMPLES, SPEC, SPACE), sketch(SAMPLES))
    np.testing.assert_array_equal(shrink(sketch(SAMPLES), np.zeros(3), SAMPLES, SPEC, SPACE), sketch(SAMPLES))
    half = shrink(noisy, np.array([0.0, 1e9, 1e9]), SAMPLES, SPEC, SPACE)
    np.testing.assert_allclose(half[:, 0], noisy[:, 0], atol=1e-12)
    np.testing.assert_array_equal(half[:, 1:], sketch(SAMPLES)[:, 1:])


def test_histograms_too():
    spec = SlicedReference(kind="sliced", basis="histogram", directions=64, bins=8)
    truth, sd = sketch(TRUTH, spec), 0.05
    noisy = noised(truth, sd, 4)
    result = shrink(noisy, np.full(8, sd**2), SAMPLES, spec, SPACE)
    assert risk(result, truth) < 0.5 * min(risk(noisy, truth), risk(sketch(SAMPLES, spec), truth))


@pytest.mark.parametrize("rows", [1, 2, 10, 40])
def test_fewer_samples_than_directions_leave_a_last_block(rows):
    # Axes of few samples hold little of the gap; the rest is judged as one block, and not lost.
    truth, variance = sketch(TRUTH), np.full(3, 1e-6)
    result = shrink(noised(truth, 1e-3, 5), variance, SAMPLES[:rows], SPEC, SPACE)
    assert risk(result, truth) < 1.2 * 128 * 1e-6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 10.0), st.integers(1, 40))
def test_the_result_is_never_further_from_the_public_sketch(seed, variance, directions):
    spec = SPEC.model_copy(update={"directions": directions})
    public = sketch(SAMPLES, spec)
    noisy = noised(public, 1.0, seed)
    result = shrink(noisy, np.full(3, variance), SAMPLES, spec, SPACE)
    reach = np.linalg.norm(noisy - public, axis=0)
    assert (np.linalg.norm(result - public, axis=0) <= reach * (1 + 1e-12)).all()


def test_bad_inputs():
    noisy, ones = np.zeros((128, 3)), np.ones(3)
    with pytest.raises(ValueError, match=r"noisy sketch must have shape \(128, 3\), got \(3, 128\)"):
        shrink(noisy.T, ones, SAMPLES, SPEC, SPACE)
    with pytest.raises(ValueError, match=r"noise variance must have shape \(3,\), got \(128, 3\)"):
        shrink(noisy, np.ones((128, 3)), SAMPLES, SPEC, SPACE)
    with pytest.raises(ValueError, match=r"must be finite and not negative, got \[0.0, -1.0, 0.0\]"):
        shrink(noisy, np.array([0.0, -1.0, 0.0]), SAMPLES, SPEC, SPACE)
    with pytest.raises(ValueError, match="must be finite and not negative"):
        shrink(noisy, np.array([0.0, np.nan, 0.0]), SAMPLES, SPEC, SPACE)
    with pytest.raises(ValueError, match="noisy sketch must be finite"):
        shrink(np.full((128, 3), np.inf), ones, SAMPLES, SPEC, SPACE)
    with pytest.raises(ValueError, match="rows must have"):
        shrink(noisy, ones, SAMPLES[:, :2], SPEC, SPACE)
