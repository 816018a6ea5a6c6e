# SPDX-License-Identifier: Apache-2.0
"""Parameters that may be averaged: there and back, averages against pooled rows, and what no rows have."""

import numpy as np
import pytest

from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.parameters import check_parameters, check_shapes, model_of, parameters_of
from tailweave.protocols.streams import stream

RIDGE = 1e-3
ONE = GaussianSpec(kind="gaussian", ridge=RIDGE)
MIXTURE = GaussianMixtureSpec(kind="gaussian-mixture", components=3, ridge=RIDGE)


def gaussian(rows: np.ndarray) -> dict[str, np.ndarray]:
    covariance = np.cov(rows.T, bias=True) + RIDGE * np.eye(rows.shape[1])
    return {"mean": rows.mean(axis=0), "covariance": covariance}


def mixture() -> dict[str, np.ndarray]:
    rng = stream(0, "mixture")
    roots = rng.normal(size=(3, 2, 2))
    return {
        "weights": np.array([0.5, 0.3, 0.2]),
        "means": 5.0 * rng.normal(size=(3, 2)),
        "covariances": roots @ roots.transpose(0, 2, 1) + RIDGE * np.eye(2),
    }


@pytest.mark.parametrize(
    ("spec", "model"), [(ONE, gaussian(stream(1, "r").normal(3.0, 2.0, (50, 4)))), (MIXTURE, mixture())]
)
def test_there_and_back(spec, model):
    again = model_of(spec, parameters_of(spec, model))
    assert set(again) == set(model)
    for name, array in model.items():
        np.testing.assert_allclose(again[name], array, atol=1e-12)  # a few roundings of numbers near 100


def test_the_average_by_rows_is_the_model_of_the_pooled_rows():
    silos = [stream(k, "rows").normal(k, 1.0 + k, (n, 3)) for k, n in enumerate((10, 200, 50))]
    parts = [parameters_of(ONE, gaussian(rows)) for rows in silos]
    shares = np.array([10, 200, 50]) / 260
    average = {n: sum(s * p[n] for s, p in zip(shares, parts, strict=True)) for n in parts[0]}
    pooled, found = gaussian(np.concatenate(silos)), model_of(ONE, average)
    np.testing.assert_allclose(found["mean"], pooled["mean"], atol=1e-12)
    np.testing.assert_allclose(found["covariance"], pooled["covariance"], atol=1e-12)


def test_a_component_without_rows_gets_those_of_all():
    held = parameters_of(MIXTURE, mixture())
    gone = {
        "weights": held["weights"] * [1, 1, 0] / 0.8,
        "firsts": held["firsts"] * np.array([1, 1, 0])[:, None] / 0.8,
        "seconds": held["seconds"] * np.array([1, 1, 0])[:, None, None] / 0.8,
    }
    found = model_of(MIXTURE, gone)
    mean = gone["firsts"].sum(axis=0)
    np.testing.assert_allclose(found["means"][2], mean)
    whole = gone["seconds"].sum(axis=0) - np.outer(mean, mean) + RIDGE * np.eye(2)
    np.testing.assert_allclose(found["covariances"][2], whole, atol=1e-12)
    assert found["weights"][2] == 0.0


def test_columns_too_far_from_zero_are_refused_and_not_rounded_away():
    rows = stream(2, "far").normal(1e9, 1.0, (50, 2))
    held = {"mean": rows.mean(axis=0), "second": rows.T @ rows / 50}
    held["second"] -= 200.0 * np.eye(2)  # what rounding at 1e18 may do
    with pytest.raises(ValueError, match="positive definite.*standardize"):
        model_of(ONE, held)


def test_what_rows_have_passes():
    base = parameters_of(ONE, gaussian(stream(3, "base").normal(size=(100, 3))))
    rows = stream(3, "one").normal(2.0, 1.0, (1, 3))  # one row: a covariance of nothing
    alone = {"mean": rows[0], "second": rows.T @ rows}
    check_parameters(ONE, alone, base, base)
    held = parameters_of(MIXTURE, mixture())
    check_parameters(MIXTURE, held, held, held)


def changed(name: str, change) -> dict[str, np.ndarray]:
    held = {key: array.copy() for key, array in parameters_of(MIXTURE, mixture()).items()}
    held[name] = change(held[name])
    return held


def skewed(seconds: np.ndarray) -> np.ndarray:
    seconds[0, 0, 1] += 1e-3
    return seconds


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("weights", lambda w: w * 1.01, "weights must sum to 1, got 1.01"),
        ("weights", lambda w: w * [1, -1, 1], "non-negative"),
        ("weights", lambda w: w[:2], r"weights \(2,\) and first moments \(3, 2\)"),
        ("firsts", lambda f: f[:, :0], "do not fit"),
        ("seconds", lambda s: s[:, :1], "do not fit"),
        ("seconds", skewed, "symmetric"),
    ],
)
def test_shapes_weights_and_asymmetry_are_refused(name, change, reason):
    with pytest.raises(ValueError, match=reason):
        check_shapes(MIXTURE, changed(name, change))


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("seconds", lambda s: s * 0.5, "at least the square of the first"),
        ("firsts", lambda f: f * 1e4, "at least the square of the first"),
        ("seconds", lambda s: s * 1e9, r"standard deviations of the public base.*at most 1000"),
        ("weights", lambda w: np.array([1.0, 0.0, 0.0]), "at least the square of the first"),
    ],
)
def test_what_no_rows_have_is_refused(name, change, reason):
    held = parameters_of(MIXTURE, mixture())
    with pytest.raises(ValueError, match=reason):
        check_parameters(MIXTURE, changed(name, change), held, held)


def test_other_names_or_shapes_than_were_sent_are_refused():
    held = parameters_of(MIXTURE, mixture())
    two = {name: array[:2] / (0.8 if name == "weights" else 1) for name, array in held.items()}
    with pytest.raises(ValueError, match="sent were"):
        check_parameters(MIXTURE, two, held, held)
    with pytest.raises(ValueError, match="parameters of a gaussian are mean, second"):
        check_shapes(ONE, held)
    with pytest.raises(ValueError, match="mean must be a vector"):
        check_shapes(ONE, {"mean": np.zeros((1, 2)), "second": np.eye(2)})


@pytest.mark.parametrize("mean", [1e300, -1e160])
def test_what_overflows_is_refused_in_a_sentence(mean):
    held = {"mean": np.array([mean, 0.5]), "second": np.eye(2)}
    with pytest.raises(ValueError, match=r"positive definite|converge"):
        model_of(ONE, held)
    base = {"mean": np.zeros(2), "second": np.eye(2)}
    with pytest.raises(ValueError, match=r"square of the first|converge"):
        check_parameters(ONE, held, base, base)
