# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from tailweave.protocols.references import cosine

UNIT = st.floats(0.0, 1.0)
PI_SQ = np.pi**2


def truncated(u, v, coefficients):
    """|u - v| from the basis, the offsets and nothing else."""
    places = np.array([[u], [v]])
    f, g = cosine.basis(places, coefficients)[:, 0]
    return cosine.offsets(places).sum() - 4 / PI_SQ * (f @ g)


def test_basis_known_answer():
    found = cosine.basis(np.array([[0.0, 1.0, 0.5]]), 4)
    expected = [[1, 1 / 2, 1 / 3, 1 / 4], [-1, 1 / 2, -1 / 3, 1 / 4], [0, -1 / 2, 0, 1 / 4]]
    np.testing.assert_allclose(found, [expected], atol=1e-15)


def test_recurrence_keeps_its_documented_error_at_a_thousand_coefficients():
    ends = np.logspace(-12, -1, 50)
    u = np.concatenate([np.linspace(0, 1, 301), ends, 1 - ends])
    j = np.arange(1, 1025)
    angle = np.fmod(u[:, None].astype(np.longdouble) * j, 2.0)  # exact in long double; cos(pi t) has period 2
    exact = np.cos(np.pi * angle.astype(np.float64)) / j
    assert np.abs(cosine.basis(u[:, None], 1024)[:, 0] - exact).max() < 1e-13


@pytest.mark.parametrize("v", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("j", [1, 2, 5])
def test_expansion_has_the_fourier_coefficients_of_the_distance(v, j):
    # integrating |u - v| = (u^2 - u + 1/3) + ... - 4/pi^2 sum cos cos / j^2 against cos(pi j u): every other
    # term is orthogonal, the mean of cos^2 is 1/2, and u^2 - u + 1/6 has 4/(pi j)^2 at even j
    found = quad(lambda u: abs(u - v) * np.cos(np.pi * j * u), 0, 1, points=[v])[0]
    mine = -2 / PI_SQ * cosine.basis(np.array([[v]]), j)[0, 0, -1] / j + (
        2 / (np.pi * j) ** 2 if j % 2 == 0 else 0
    )
    assert found == pytest.approx(mine, abs=1e-12)


@given(UNIT, UNIT, st.sampled_from([1, 2, 7, 32, 256]))
@settings(max_examples=100, deadline=None)
def test_truncation_error_is_within_its_bound(u, v, coefficients):
    assert abs(truncated(u, v, coefficients) - abs(u - v)) <= 4 / (PI_SQ * coefficients) + 1e-12


def test_truncation_bound_is_sharp_and_falls_with_coefficients():
    errors = [truncated(0.0, 0.0, j) for j in (8, 32, 128, 512)]
    bounds = [4 / (PI_SQ * j) for j in (8, 32, 128, 512)]
    assert all(0.9 * bound < error <= bound for error, bound in zip(errors, bounds, strict=True))


def test_offsets_are_averaged_over_directions():
    places = np.array([[0.0, 0.5], [1.0, 0.2]])
    np.testing.assert_allclose(
        cosine.offsets(places), [(1 / 3 + 1 / 12) / 2, (1 / 3 + 0.04 - 0.2 + 1 / 3) / 2]
    )


@given(st.integers(1, 30), st.integers(1, 4), st.sampled_from([1, 2, 3, 8, 33, 200]), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_mean_offset_reads_the_mean_of_offsets_from_the_sketch(n, lines, coefficients, seed):
    places = np.random.default_rng(seed).random((n, lines))
    sketch = cosine.basis(places, coefficients).mean(axis=0)
    error = abs(cosine.mean_offset(sketch) - cosine.offsets(places).mean())
    assert error <= 2 / (PI_SQ * coefficients) + 1e-12


def test_mean_offset_of_the_uniform_distribution():
    # E cos(pi j v) = 0 for every j, and E[v^2 - v + 1/3] = 1/3 - 1/2 + 1/3
    assert cosine.mean_offset(np.zeros((3, 8))) == pytest.approx(1 / 6, abs=1e-15)


def test_mean_offset_error_bound_is_sharp_at_the_ends():
    for coefficients in (8, 64):
        error = cosine.offsets(np.zeros((1, 1)))[0] - cosine.mean_offset(
            cosine.basis(np.zeros((1, 1)), coefficients)[0]
        )
        assert 0.8 * 2 / (PI_SQ * coefficients) < error <= 2 / (PI_SQ * coefficients)
