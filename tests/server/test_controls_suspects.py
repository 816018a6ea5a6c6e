# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from scipy.optimize import linprog

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import SlicedSummary, summarise
from tailweave.protocols.streams import stream
from tailweave.server.controls.suspects import PROBES, potential_distances, quantized_distances, robust_limit


def test_limit_by_hand():
    # Median 3, deviations 2 1 0 1 7, MAD 1: 3 + 3.5 * 1.48; equal distances leave only the slack.
    assert robust_limit(np.array([1.0, 2, 3, 4, 10]), 0.15) == pytest.approx(3 + 3.5 * 1.48)
    assert robust_limit(np.full(5, 2.0), 0.15) == pytest.approx(2.3)
    assert robust_limit(np.array([1.0, 50.0]), 0.15) == np.inf


def summary(rng, clusters, dimension=3):
    return QuantizedSummary(
        rng.standard_normal((clusters, dimension)),
        rng.integers(1, 50, clusters).astype(float),
        rng.random((clusters, dimension)),
    )


def test_distances_agree_with_scipys_linear_program():
    rng = np.random.default_rng(0)
    summaries, weights = [summary(rng, k) for k in (3, 4, 2)], np.array([1.0, 2.0, 5.0])
    found, _ = quantized_distances(summaries, weights)
    for k, own in enumerate(summaries):
        others = [i for i in range(3) if i != k]
        target = np.concatenate(
            [weights[i] * summaries[i].counts / summaries[i].counts.sum() for i in others]
        )
        cost = np.array(
            [
                [
                    ((c - d) ** 2).sum() + ((np.sqrt(v) - np.sqrt(w)) ** 2).sum()
                    for i in others
                    for d, w in zip(summaries[i].centroids, summaries[i].variances, strict=True)
                ]
                for c, v in zip(own.centroids, own.variances, strict=True)
            ]
        )
        n, m = cost.shape
        rows = np.kron(np.eye(n), np.ones(m))
        columns = np.kron(np.ones(n), np.eye(m))
        plan = linprog(
            cost.ravel(),
            A_eq=np.vstack([rows, columns]),
            b_eq=np.concatenate([own.counts / own.counts.sum(), target / target.sum()]),
        )
        assert found[k] == pytest.approx(np.sqrt(plan.fun), rel=1e-7)


def test_two_gaussians_are_as_far_as_their_closed_form():
    a = QuantizedSummary(np.array([[0.0, 0.0]]), np.array([10.0]), np.array([[1.0, 4.0]]))
    b = QuantizedSummary(np.array([[3.0, 0.0]]), np.array([99.0]), np.array([[1.0, 1.0]]))
    found, limits = quantized_distances([a, b], np.ones(2))
    assert found == pytest.approx([np.sqrt(10.0)] * 2)
    assert np.isinf(limits).all()


def test_own_count_does_not_hide_a_silo_behind_its_weight():
    rng = np.random.default_rng(1)
    honest = [summary(rng, 5) for _ in range(4)]
    far = QuantizedSummary(honest[0].centroids + 9.0, honest[0].counts, honest[0].variances)
    light, _ = quantized_distances([*honest, far], np.ones(5))
    heavy, _ = quantized_distances([*honest, far], np.array([1.0, 1, 1, 1, 100]))
    assert light[-1] == pytest.approx(heavy[-1])
    assert heavy[0] > light[0]


@pytest.mark.parametrize("weights", [np.ones(2), np.array([1.0, 0.0, 1.0])])
def test_refuses_weights_that_do_not_fit(weights):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="3 summaries need as many positive weights"):
        quantized_distances([summary(rng, 2) for _ in range(3)], weights)


SPEC = SlicedReference(kind="sliced", directions=512, coefficients=16)
SPACE = PublicSpace(np.full(3, 0.5), 2.0, 4)


def test_sketch_distances_are_those_of_exact_potentials():
    """Within 5 %: Monte-Carlo over 512 directions and 16 coefficients against exact Euclidean potentials."""
    rng = np.random.default_rng(0)
    clouds = [0.5 + 2.0 * rng.standard_normal((400, 3)) + [shift, 0, 0] for shift in (0.0, 0.2, -0.2, 0.1, 3)]
    found, limits = potential_distances([summarise(c, SPEC, SPACE) for c in clouds], SPEC, SPACE, 0.0)
    draws = stream(4, "controls", "probes").standard_normal((PROBES, 3))
    potentials = np.stack([Empirical.of(c).potential(0.5 + 2.0 * draws) for c in clouds])
    exact = (potentials - np.median(potentials, axis=0)).std(axis=1)
    assert found == pytest.approx(exact, rel=0.05, abs=0.01)
    assert found[-1] > limits[-1]
    assert (found[:-1] < limits[:-1]).all()


SMALL = SlicedReference(kind="sliced", directions=64, coefficients=4)


def test_noise_allowance_is_three_times_what_noise_does_and_falls_with_the_count():
    shape = (SMALL.directions, SMALL.coefficients)
    flat = [SlicedSummary(np.zeros(shape), count) for count in (100.0, 400.0, 1600.0)]
    _, still = potential_distances(flat, SMALL, SPACE, 0.0)
    _, noisy = potential_distances(flat, SMALL, SPACE, 30.0)
    allowance = noisy - still
    assert allowance == pytest.approx(allowance[0] * np.array([1, 1 / 4, 1 / 16]))
    rng = np.random.default_rng(0)
    measured = []
    for _ in range(20):
        moved = SlicedSummary(30.0 * rng.standard_normal(shape), 100.0)
        measured.append(potential_distances([*flat, moved], SMALL, SPACE, 0.0)[0][-1])
    # Root mean squares over 16 and 20 draws, each of some ten independent directions: 5 standard errors.
    assert allowance[0] / 3 == pytest.approx(np.sqrt(np.mean(np.square(measured))), rel=0.35)
