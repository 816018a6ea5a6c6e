# SPDX-License-Identifier: Apache-2.0
"""What is made before a run folder exists, and what is refused there."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.data import silo
from tailweave.clients.data.silo import forget_worlds, simulated_world
from tailweave.clients.generators import Course
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.kit import PublicKit
from tailweave.simulation.kits import fit_kit
from tailweave.simulation.prepare import _warnings, prepare


def test_every_seed_gets_its_own_kit(tiny):
    prepared = prepare(load_experiment(tiny()))
    assert list(prepared.kits) == [0, 1]
    assert prepared.kits[0].features.columns == 64
    assert prepared.kits[0].features.dimension == 6
    assert prepared.kits[0].base["means"].shape == (4, 64)
    assert prepared.kits[0].features != prepared.kits[1].features


def test_a_kit_is_a_function_of_public_rows_and_seed(tiny):
    experiment = load_experiment(tiny())
    world = simulated_world(experiment.data, experiment.silos, experiment.public, seed=0)
    one, two = (fit_kit(experiment, world, 0) for _ in range(2))
    assert one.features == two.features
    assert all(np.array_equal(one.base[name], two.base[name]) for name in one.base)


def test_the_feature_map_does_not_see_the_rows_of_the_silos(tiny):
    # Other silos over the same public rows: the kit stays as it is.
    kits = []
    for silos in ({"count": 3, "partition": {"kind": "iid"}}, {"count": 5, "partition": {"kind": "iid"}}):
        experiment = load_experiment(tiny(silos=silos, seeds=1))
        kits.append(prepare(experiment).kits[0].features)
    assert kits[0] == kits[1]


def test_saved_kits_are_read_back(tiny, tmp_path):
    prepared = prepare(load_experiment(tiny()))
    prepared.save_kits(tmp_path / "kits")
    loaded = PublicKit.load(tmp_path / "kits" / "seed-1.npz")
    assert loaded.features == prepared.kits[1].features
    assert np.array_equal(loaded.base["weights"], prepared.kits[1].base["weights"])


def test_warnings_tell_what_a_deployment_would_not_allow(tiny):
    said = prepare(load_experiment(tiny(seeds=1))).warnings
    assert any("no differential privacy" in line for line in said)
    assert any("the smallest silo holds 72 rows" in line and "200" in line for line in said)


def test_a_truth_that_is_cut_short_is_said(tiny, monkeypatch):
    experiment = load_experiment(tiny(seeds=1))
    held_out = len(simulated_world(experiment.data, experiment.silos, experiment.public, seed=0).evaluation)
    wanted = f"{held_out:,} rows are held out, metrics compare with 100 of them"
    assert not any("rows are held out" in line for line in prepare(experiment).warnings)
    monkeypatch.setattr(silo, "MOST_EVALUATION", 100)
    assert any(line.startswith(wanted) for line in prepare(experiment).warnings)
    forget_worlds()


def test_a_silo_that_is_large_enough_is_not_warned_of(tiny):
    said = prepare(load_experiment(tiny(seeds=1, privacy={"min-rows": 72}))).warnings
    assert not any("smallest silo" in line for line in said)


class Warm(GaussianMixtureSpec):
    """A generator that draws at a temperature, as language models do."""

    temperature: float = 1.0


@pytest.mark.parametrize(("temperature", "warned"), [(None, False), (0.8, False), (1.0, True), (1.5, True)])
def test_rules_that_keep_noise_at_full_temperature_are_warned_of(tiny, temperature, warned):
    arms = [
        {"name": "kept", "rule": "gated-herding", "reference": "local"},
        {"name": "top", "rule": "surplexity"},
        {"name": "low", "rule": "low-perplexity"},
    ]
    experiment = load_experiment(tiny(seeds=1, arms=arms))
    if temperature is not None:
        warm = Warm(kind="gaussian-mixture", components=4, temperature=temperature)
        experiment = experiment.model_copy(update={"generator": warm})
    said = [line for line in _warnings(experiment, None) if "temperature" in line]
    assert len(said) == warned
    if warned:
        assert said[0].startswith(
            f"kept, top: at generator.temperature = {temperature:g} a model's own noise"
        )


def test_a_silo_must_have_as_many_real_samples_as_are_kept(tiny):
    arms = [{"name": "human", "rule": "fresh", "paradigm": "accumulate-select", "include-real": True}]
    experiment = load_experiment(tiny(seeds=1, arms=arms))  # 72 rows a silo, n = 60
    assert len(prepare(experiment).kits) == 1
    more = {"generations": 1, "samples": 73, "candidates-per-sample": 1}
    message = "arm human: rule fresh keeps recursion.samples = 73 real samples, the smallest silo holds 72"
    with pytest.raises(ValueError, match=message):
        prepare(load_experiment(tiny(seeds=1, arms=arms, recursion=more)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": {"kind": "pca", "dimensions": 65}}, "features.dimensions .* 64 columns, got 65"),
        (
            {"generator": {"kind": "gaussian-mixture", "components": 61}},
            "generator.components must be at most recursion.samples = 60, got 61",
        ),
        ({"privacy": {"min-cluster-size": 73}}, "at least 73 training rows, but silo-0 has 72"),
        (
            {
                "generator": {"kind": "gaussian-mixture", "components": 50, "start": "local"},
                "silos": {"count": 3, "partition": {"kind": "iid"}, "rows-per-silo": 40},
            },
            "generator.components must be at most the 36 training rows of silo-0.*start: local.*got 50",
        ),
        ({"public": {"fraction": 0.001}}, "must leave at least 2|at most the . training rows"),
        ({"public": {"class-weights": {"eleven": 0.1}}}, "no class 'eleven'"),
    ],
)
def test_what_does_not_fit_together_is_refused(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        prepare(load_experiment(tiny(**changes)))


def test_kits_of_an_earlier_attempt_are_used_as_they_are(tiny, tmp_path):
    experiment = load_experiment(tiny())
    prepare(experiment).save_kits(tmp_path / "kits")
    kept = PublicKit.load(tmp_path / "kits" / "seed-0.npz")
    other = replace(kept, base=kept.base | {"weights": np.full(4, 0.25)})
    other.save(tmp_path / "kits" / "seed-0.npz")
    (tmp_path / "kits" / "seed-1.npz").unlink()
    again = prepare(experiment, kept=tmp_path / "kits")
    assert again.kits[0].base["weights"].tolist() == [0.25] * 4
    assert again.kits[1].features == prepare(experiment).kits[1].features


def test_the_fit_of_a_base_tells_how_far_it_is(tiny):
    told = []
    generator = {"kind": "diffusion", "network": {"kind": "mlp", "hidden": 8, "layers": 1}, "first-epochs": 1}
    changes = {"generator": generator | {"sampling-steps": 1}, "seeds": 1}
    course = Course(tell=lambda done, total: told.append((done, total)))
    kit = prepare(load_experiment(tiny(**changes)), course=course).kits[0]
    assert told == [(i, 13) for i in range(1, 14)]  # 1,617 rows in batches of 128
    assert "weights/inlet.weight" in kit.base


def test_real_silos_get_the_held_out_rows_of_the_public_data_unless_their_own_are_asked_for(tiny):
    asked = load_experiment(tiny(seeds=1))
    kit = prepare(asked, silos_elsewhere=True).kits[0]
    truth = simulated_world(asked.data, asked.silos, asked.public, seed=0).evaluation
    assert np.array_equal(kit.held_out["features"], kit.features(truth.values))
    assert prepare(asked).kits[0].held_out == {}  # a simulated silo knows the truth
    own = load_experiment(tiny(seeds=1, evaluation={"against": "own"}))
    assert prepare(own, silos_elsewhere=True).kits[0].held_out == {}


def test_real_silos_numbers_that_their_owners_keep_are_named(tiny):
    arms = [
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {"name": "anchored", "rule": "herding", "reference": "public"},
        {"name": "mixed", "rule": "random", "include-real": True, "paradigm": "accumulate"},
    ]
    for changes, named in (
        ({}, "siloed, mixed: "),
        ({"evaluation": {"against": "own"}}, "siloed, anchored, mixed: "),
        ({"generator": {"kind": "gaussian", "start": "local"}}, "siloed, anchored, mixed: "),
    ):
        experiment = load_experiment(tiny(seeds=1, arms=arms, **changes))
        said = [line for line in prepare(experiment, silos_elsewhere=True).warnings if "own-metrics" in line]
        assert [line.startswith(named) for line in said] == [True]
        assert not [line for line in prepare(experiment).warnings if "own-metrics" in line]
