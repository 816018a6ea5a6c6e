# SPDX-License-Identifier: Apache-2.0
"""One generation after another: what the pool holds under each paradigm, and what arms share."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.recursion import Recursion, Stage, begin, step
from tailweave.clients.samples import Samples
from tailweave.clients.selection.herding import herding
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.generators.gaussian import GaussianSpec
from tailweave.protocols.references import Empirical
from tailweave.protocols.streams import stream

N = 12
REAL = stream(0, "real").normal(size=(5, 2)) + 100.0
OWN = Samples.of(REAL)
BASE = Gaussian(np.zeros(2), np.eye(2))
FEATURES = FeatureMap(np.ones(2), np.array([[2.0, 0.0], [0.0, 0.5]]), np.zeros(2), 1.0)


def fixed(rule: str = "random", silo: str = "silo-0", seed: int = 0, **options) -> Recursion:
    arm = {"name": rule, "rule": rule} | ({} if rule == "random" else {"reference": "local"})
    return Recursion(
        ArmSpec.model_validate(arm),
        GaussianSpec(kind="gaussian"),
        RecursionSpec(**{"generations": 9, "samples": N, "candidates_per_sample": 3} | options),
        FEATURES,
        None if rule == "random" else Empirical.of(FEATURES(REAL - 100.0)),
        seed,
        silo,
    )


def run(recursion: Recursion, generations: int) -> list[Stage]:
    stages = [begin(BASE, OWN)]
    for _ in range(generations):
        stages.append(step(recursion, stages[-1], OWN)[0])
    return stages


@pytest.mark.parametrize(
    ("paradigm", "include_real", "pools", "fitted"),
    [
        ("replace", False, [N, N, N], [N, N, N]),
        ("replace", True, [N + 5] * 3, [N + 5] * 3),
        ("accumulate", False, [N, 2 * N, 3 * N], [N, 2 * N, 3 * N]),
        ("accumulate", True, [N + 5, 2 * N + 5, 3 * N + 5], [N + 5, 2 * N + 5, 3 * N + 5]),
        ("accumulate-subsample", False, [N, 2 * N, 3 * N], [N] * 3),
        ("accumulate-subsample", True, [N + 5, 2 * N + 5, 3 * N + 5], [N] * 3),
        ("accumulate-select", False, [3 * N, 6 * N, 9 * N], [N] * 3),
        ("accumulate-select", True, [3 * N + 5, 6 * N + 5, 9 * N + 5], [N] * 3),
    ],
)
def test_paradigms_keep_what_they_say(paradigm, include_real, pools, fitted):
    stages = run(fixed(paradigm=paradigm, include_real=include_real), 3)[1:]
    assert [len(stage.pool) for stage in stages] == pools
    assert [len(stage.training) for stage in stages] == fitted
    for stage in stages:
        assert (stage.pool.values > 50).any() == include_real
        assert len(set(stage.fitted_on.tolist())) == len(stage.fitted_on)


def test_accumulated_rows_stay_where_they_are():
    _, first, second, third = run(fixed(paradigm="accumulate"), 3)
    assert np.array_equal(third.pool.values[: 2 * N], second.pool)
    assert np.array_equal(second.pool.values[:N], first.pool)


@pytest.mark.parametrize("paradigm", ["accumulate-subsample", "accumulate-select"])
def test_subsamples_reach_old_and_new_rows(paradigm):
    stage = run(fixed(paradigm=paradigm), 3)[-1]
    assert set(stage.training.born.tolist()) == {1, 2, 3}


def test_accumulate_select_refits_on_what_the_rule_picks_from_real_and_all_synthetic_rows():
    recursion = fixed("herding", paradigm="accumulate-select", include_real=True)
    _, first, second = run(recursion, 2)
    drawn = first.model.sample(3 * N, rng=stream(0, "silo", "silo-0", "generation", 2, "candidates"))
    assert np.array_equal(second.pool, np.concatenate([REAL, first.pool.values[5:], drawn]))
    assert second.pool.born.tolist() == [0] * 5 + [1] * 3 * N + [2] * 3 * N
    expected = herding(recursion.reference, FEATURES(second.pool), N)
    assert second.fitted_on.tolist() == sorted(expected.tolist())
    assert second.model.mean == pytest.approx(second.pool.values[expected].mean(axis=0), rel=1e-12)


def share(stage: Stage) -> float:
    return (stage.training.born == 0).mean()


def test_real_rows_are_known_among_those_fitted_on():
    assert share(begin(BASE, OWN)) == 1.0
    assert share(run(fixed(), 1)[-1]) == 0.0
    assert share(run(fixed(include_real=True), 2)[-1]) == 5 / (N + 5)
    assert share(run(fixed(paradigm="accumulate", include_real=True), 2)[-1]) == 5 / (2 * N + 5)
    stage = run(fixed(paradigm="accumulate-select", include_real=True), 2)[-1]
    assert share(stage) == np.isin(stage.training, REAL).all(axis=1).mean()
    assert 0.0 < share(stage) < 1.0


def test_a_generation_is_generate_select_fit():
    recursion = fixed("herding")
    start = begin(BASE, OWN)
    stage, pick = step(recursion, start, OWN)
    candidates = BASE.sample(3 * N, rng=stream(0, "silo", "silo-0", "generation", 1, "candidates")).values
    assert np.array_equal(pick.candidates, candidates)
    np.testing.assert_allclose(
        pick.features_of(np.arange(len(candidates))), (candidates - 1.0) * [2.0, 0.5], atol=1e-15
    )
    assert stage.generation == 1
    assert len(set(pick.selected.tolist())) == N
    assert np.array_equal(stage.pool, candidates[pick.selected])
    np.testing.assert_allclose(stage.model.mean, stage.pool.values.mean(axis=0), rtol=1e-12)


def test_generation_zero_is_the_base_and_its_rows():
    start = begin(BASE, OWN)
    assert start.generation == 0
    assert np.array_equal(start.training, REAL)
    assert start.model is BASE


def test_arms_see_the_same_candidates_in_generation_one_and_differ_in_what_they_pick():
    picks = [step(fixed(rule), begin(BASE, OWN), OWN)[1] for rule in ("random", "herding", "top-potential")]
    assert all(np.array_equal(pick.candidates, picks[0].candidates) for pick in picks)
    assert len({tuple(sorted(pick.selected.tolist())) for pick in picks}) == 3


def test_streams_differ_by_seed_silo_generation_and_purpose():
    recursion = fixed()
    draws = [
        recursion.rng(1, "candidates").random(),
        recursion.rng(2, "candidates").random(),
        recursion.rng(1, "select").random(),
        fixed(silo="silo-1").rng(1, "candidates").random(),
        fixed(seed=1).rng(1, "candidates").random(),
    ]
    assert len(set(draws)) == 5
    assert fixed("herding").rng(1, "select").random() == draws[2]


def test_the_same_recursion_gives_the_same_bytes():
    one, two = (run(fixed("herding", paradigm="accumulate-subsample"), 3)[-1] for _ in range(2))
    assert one.pool.values.tobytes() == two.pool.values.tobytes()
    assert one.fitted_on.tobytes() == two.fitted_on.tobytes()
    assert all(one.model.arrays()[name].tobytes() == a.tobytes() for name, a in two.model.arrays().items())


def test_a_step_leaves_its_input_as_it_was():
    start, real = begin(BASE, OWN), OWN
    step(fixed("herding", include_real=True), start, real)
    assert np.array_equal(real, REAL)
    assert np.array_equal(start.pool, REAL)


def test_a_refit_depends_on_its_own_stream():
    stage, _ = step(fixed("herding"), begin(BASE, OWN), OWN)
    again = generators.fit(GaussianSpec(kind="gaussian"), stage.pool, rng=stream(9, "any"))
    assert np.array_equal(again.covariance, stage.model.covariance)  # a Gaussian draws nothing


@pytest.mark.parametrize("rule", ["fresh", "last-generation"])
def test_rules_on_birth_see_real_and_newest_ones_in_the_pool(rule):
    recursion = fixed("random", paradigm="accumulate-select", include_real=True, samples=4)
    arm = ArmSpec.model_validate({"name": rule, "rule": rule})
    stages = run(replace(recursion, arm=arm), 3)[1:]
    wanted = [{0}] * 3 if rule == "fresh" else [{1}, {2}, {3}]
    assert [set(stage.training.born.tolist()) for stage in stages] == wanted
