# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.kinds.studies.gaussian import PUBLISHED_SEEDS
from tailweave.protocols.streams import stream
from tailweave.simulation.paper.closed_forms import accumulate_ratio, decay_exponent
from tailweave.simulation.paper.gaussian import RIDGE, SETTINGS, Recursion, trajectories
from tailweave.simulation.paper.worlds import (
    isotropic_world,
    legacy_stream,
    published_world,
)
from tailweave.simulation.studies.claims import loglog_slope

# Source of the published numbers: result files of arXiv 2606.13732's public code.
TRACE_0 = 83.80901045861421
TRACE_1 = {100: 77.74012441488273, 200: 76.80054653098858, 500: 80.8107610751193}
TRACES_0 = (83.809, 130.198, 91.056, 93.721, 112.952, 93.382, 89.740, 81.446, 98.240, 120.786)
TARGET_GAPS_SQ = (55.8, 31.1, 25.4, 21.5, 37.3, 91.3, 144.8, 61.1, 67.8, 30.2)
ACCUMULATED = {100: 1.01688, 200: 0.98678, 500: 1.00738}


def published(seeds=PUBLISHED_SEEDS):
    draws = [legacy_stream(seed) for seed in seeds]
    return [published_world(one, dimensions=10) for one in draws], draws


def stacked(setting, world, draws, recursion):
    """The published loop as it stands: one seed, rows in a stacked pool, numpy's own sampler."""
    mean, covariance = world.mean, world.covariance
    precision = np.linalg.inv(0.3 * world.covariance)
    pool, traces, errors = np.empty((0, len(mean))), [np.trace(covariance)], [0.0]
    for _ in range(recursion.generations):
        selects = setting.endswith("select")
        count = int(recursion.samples / recursion.alpha) if selects else recursion.samples
        rows = draws.multivariate_normal(mean, covariance, count)
        if selects:
            away = rows - world.target
            rows = rows[np.argsort(np.sum(away @ precision * away, axis=1))[: recursion.samples]]
        pool = np.vstack([pool, rows]) if setting.startswith("accumulate") else rows
        mean = pool.mean(axis=0)
        covariance = np.cov(pool, rowvar=False, bias=True) + RIDGE * np.eye(len(mean))
        traces.append(np.trace(covariance))
        errors.append(np.sum((mean - world.mean) ** 2))
    return np.array(traces), np.array(errors)


def test_the_worlds_are_the_published_ones():
    worlds, _ = published()
    assert [np.trace(w.covariance) for w in worlds] == pytest.approx(TRACES_0, abs=5e-4)  # 3 decimals printed
    gaps = [np.sum((w.target - w.mean) ** 2) for w in worlds]
    assert gaps == pytest.approx(TARGET_GAPS_SQ, abs=0.051)  # 1 decimal printed


@pytest.mark.parametrize("samples", [100, 200, 500])
def test_replace_takes_the_published_step(samples):
    worlds, draws = published([42])
    traces = trajectories("replace", worlds, draws, Recursion(samples, 0.05, 1))
    assert traces.variance[0] == pytest.approx([TRACE_0, TRACE_1[samples]], abs=1e-9)


def test_settings_equal_the_published_loop_on_one_stream():
    recursion = Recursion(40, 0.25, 12)
    worlds, draws = published((42, 123))
    rivals = [legacy_stream(42), legacy_stream(123)]
    for one in rivals:
        published_world(one, dimensions=10)
    for setting in SETTINGS:
        traces = trajectories(setting, worlds, draws, recursion)
        for place, (world, rival) in enumerate(zip(worlds, rivals, strict=True)):
            variance, errors = stacked(setting, world, rival, recursion)
            # float error of a 12-step recursion on covariances of condition 1e4
            np.testing.assert_allclose(traces.variance[place], variance, rtol=1e-9)
            np.testing.assert_allclose(traces.mean_error_sq[place], errors, rtol=1e-8, atol=1e-12)


def test_merged_moments_equal_a_stacked_pool():
    worlds, draws = published([42])
    rival = legacy_stream(42)
    published_world(rival, dimensions=10)
    recursion = Recursion(50, 0.05, 40)
    variance, _ = stacked("accumulate", worlds[0], rival, recursion)
    found = trajectories("accumulate", worlds, draws, recursion).variance[0]
    np.testing.assert_allclose(found, variance, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("samples", [100, 200, 500])
def test_accumulate_and_selection_end_where_published(samples):
    worlds, draws = published()
    recursion = Recursion(samples, 0.05, 300)
    found = {setting: trajectories(setting, worlds, draws, recursion).ratio for setting in SETTINGS}
    assert found["accumulate"][:, 300].mean() == pytest.approx(ACCUMULATED[samples], abs=1e-5)  # 5 decimals
    if samples == 500:
        selected = found["accumulate+select"]
        assert selected[:, 100].mean() == pytest.approx(0.1368, abs=2 * 0.0310)
        slopes = [loglog_slope(range(301), run, window=(100, 300)) for run in selected]
        assert np.mean(slopes) == pytest.approx(-0.626, abs=0.04)
        assert found["replace+select"][:, 10].mean() == pytest.approx(0.0037, abs=2 * 0.0008)


def test_unbiased_selection_decays_with_the_closed_exponent():
    worlds = [isotropic_world(10)] * 4
    draws = [stream(seed, "isotropic") for seed in range(4)]
    ratio = trajectories("accumulate+select", worlds, draws, Recursion(100, 0.05, 300)).ratio
    slope = np.mean([loglog_slope(range(301), run, window=(10, 300)) for run in ratio])
    assert slope == pytest.approx(-decay_exponent(10, 0.05), abs=0.01)
    limit = np.cumprod(1 - decay_exponent(10, 0.05) / np.arange(1, 301))
    exact = loglog_slope(range(1, 301), limit, window=(10, 300))
    # sd of a run's slope is 7e-4 here; 6 standard errors of 4 runs
    assert slope == pytest.approx(exact, abs=2.1e-3)


def test_accumulate_has_its_closed_expectation():
    runs = 3000
    draws = [stream(seed, "expectation") for seed in range(runs)]
    ratio = trajectories("accumulate", [isotropic_world(2)] * runs, draws, Recursion(3, 1.0, 6)).ratio
    error = ratio.std(axis=0)[1:] / np.sqrt(runs)
    assert np.all(np.abs(ratio.mean(axis=0) - accumulate_ratio(3, 6))[1:] < 5.5 * error)  # alarm rate 2e-7


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 30), st.floats(0.05, 1.0), st.sampled_from(SETTINGS))
def test_a_seed_does_not_feel_the_others(samples, alpha, setting):
    recursion = Recursion(samples, alpha, 3)
    worlds, draws = published((42, 123, 456))
    together = trajectories(setting, worlds, draws, recursion)
    one_world, one_draw = published([123])
    alone = trajectories(setting, one_world, one_draw, recursion)
    np.testing.assert_array_equal(together.variance[1], alone.variance[0])
    np.testing.assert_array_equal(together.target_error_sq[1], alone.target_error_sq[0])


def test_the_first_target_error_is_the_bias():
    worlds, draws = published([42])
    found = trajectories("replace", worlds, draws, Recursion(20, 0.05, 1))
    assert found.mean_error_sq[0, 0] == 0
    assert found.target_error_sq[0, 0] == pytest.approx(55.8, abs=0.05)


def test_bad_inputs():
    worlds, draws = published([42])
    with pytest.raises(ValueError, match="one stream a world: 1 worlds, got 0"):
        trajectories("replace", worlds, [], Recursion(10, 0.5, 1))
    for samples, alpha in ((10, 2.0), (10, 0.0), (0, 0.5)):
        with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\] and samples positive"):
            Recursion(samples, alpha, 1)
