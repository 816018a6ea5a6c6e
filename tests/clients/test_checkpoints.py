# SPDX-License-Identifier: Apache-2.0
"""Checkpoints come back as they were, and are refused when they cannot."""

import os
import stat
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from safetensors import safe_open

from tailweave.clients import storage
from tailweave.clients.checkpoints import Checkpoint, finished
from tailweave.clients.generators.diffusion import Diffusion
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.measured import Measured
from tailweave.clients.recursion import Stage
from tailweave.clients.samples import Samples
from tailweave.clients.storage import StorageError
from tailweave.clients.telling import telling
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.streams import stream

GAUSSIAN = GaussianSpec(kind="gaussian")
DIFFUSION = DiffusionSpec(
    kind="diffusion", network=MlpSpec(hidden=4, layers=1), first_epochs=1, sampling_steps=2, device="cpu"
)


def checkpoint() -> Checkpoint:
    stage = Stage(
        2,
        Gaussian(np.array([1.0, 2.0]), np.eye(2)),
        replace(Samples.of(np.arange(10.0).reshape(5, 2)), born=np.array([0, 0, 1, 2, 2])),
        np.array([0, 3, 4]),
    )
    rows = (
        {"coverage": 0.5},
        {"coverage": 0.1, "mode_share/größe \u2028": 0.2},
        {"mode_share/größe \u2028": 1 / 3},
    )
    return Checkpoint(stage, Measured(rows))


def test_what_is_saved_is_loaded(tmp_path):
    saved = checkpoint()
    saved.save(tmp_path / "a" / "latest.npz")
    loaded = Checkpoint.load(tmp_path / "a" / "latest.npz", GAUSSIAN)
    assert loaded.stage.generation == 2
    assert loaded.measured == saved.measured
    assert np.array_equal(loaded.stage.training, saved.stage.training)
    assert np.array_equal(loaded.stage.model.mean, saved.stage.model.mean)
    assert loaded.stage.fitted_on.dtype == np.int64
    assert loaded.stage.pool.born.tolist() == [0, 0, 1, 2, 2]


def test_none_where_nothing_was_saved(tmp_path):
    assert Checkpoint.load(tmp_path / "latest.npz", GAUSSIAN) is None


def test_a_truncated_checkpoint_is_refused_with_its_name(tmp_path):
    path = tmp_path / "latest.npz"
    checkpoint().save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StorageError, match="latest.npz: cannot be read back .*delete it"):
        Checkpoint.load(path, GAUSSIAN)


def test_a_checkpoint_that_lacks_a_part_is_refused_with_its_name(tmp_path):
    path = tmp_path / "latest.npz"
    checkpoint().save(path)
    arrays = storage.load(path)
    del arrays["pool/values"]
    storage.save(path, arrays)
    with pytest.raises(StorageError, match="latest.npz: .*lacks pool/values; delete it"):
        Checkpoint.load(path, GAUSSIAN)


def test_a_checkpoint_of_another_generator_is_refused(tmp_path):
    checkpoint().save(tmp_path / "latest.npz")
    with pytest.raises(ValueError, match="gaussian-mixture needs arrays"):
        Checkpoint.load(tmp_path / "latest.npz", GaussianMixtureSpec(kind="gaussian-mixture"))


def test_mixtures_come_back_too(tmp_path):
    model = Mixture(np.array([0.5, 0.5]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    stage = Stage(0, model, Samples.of(np.zeros((2, 1))), np.arange(2))
    Checkpoint(stage, Measured(({},))).save(tmp_path / "x.npz")
    loaded = Checkpoint.load(tmp_path / "x.npz", GaussianMixtureSpec(kind="gaussian-mixture"))
    assert np.array_equal(loaded.stage.model.weights, model.weights)


def network(seed: int) -> Diffusion:
    return Diffusion.fit(DIFFUSION, Samples.of(np.eye(2)), rng=stream(seed, "fit"))


def test_a_networks_weights_lie_in_a_file_of_their_own_generation(tmp_path):
    path, first = tmp_path / "latest.npz", checkpoint()
    models = [network(seed) for seed in (0, 1)]
    for generation, model in enumerate(models):
        replace(
            first,
            measured=Measured(first.measured.rows[: generation + 1]),
            stage=replace(first.stage, generation=generation, model=model),
        ).save(path, large=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["latest.npz", "model-1.safetensors"]
    loaded = Checkpoint.load(path, DIFFUSION).stage.model
    assert np.array_equal(*(m.sample(4, rng=stream(0, "sample")) for m in (loaded, models[1])))
    with safe_open(tmp_path / "model-1.safetensors", "numpy") as file:
        assert file.get_tensor("weights/inlet.weight").dtype == np.float32


def test_killed_between_weights_and_checkpoint_the_older_generation_is_valid(tmp_path, monkeypatch):
    path, first, models = tmp_path / "latest.npz", checkpoint(), [network(seed) for seed in (0, 1)]
    saved = [
        Checkpoint(replace(first.stage, generation=i, model=m), Measured(first.measured.rows[: i + 1]))
        for i, m in enumerate(models)
    ]
    saved[0].save(path, large=True)
    monkeypatch.setattr(storage, "save", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        saved[1].save(path, large=True)
    monkeypatch.undo()
    loaded = Checkpoint.load(path, DIFFUSION)
    assert loaded.stage.generation == 0
    assert np.array_equal(loaded.stage.model.weights["inlet.weight"], models[0].weights["inlet.weight"])
    saved[1].save(path, large=True)
    assert Checkpoint.load(path, DIFFUSION).stage.generation == 1


def test_missing_weights_are_refused_by_name(tmp_path):
    path, first = tmp_path / "latest.npz", checkpoint()
    replace(first, stage=replace(first.stage, model=network(0))).save(path, large=True)
    (tmp_path / "model-2.safetensors").unlink()
    with pytest.raises(StorageError, match="model-2.safetensors: cannot be read back .*delete it"):
        Checkpoint.load(path, DIFFUSION)


def test_at_the_end_of_an_arm_its_rows_are_gone_and_the_rest_is_there(tmp_path):
    path, saved = tmp_path / "latest.npz", checkpoint()
    last = saved.stage.generation
    saved.save(path, last=last + 1)
    assert not finished(path)
    path.with_name(".latest.npz.77").write_bytes(path.read_bytes())
    saved.save(path, last=last)
    assert finished(path)
    assert [file.name for file in tmp_path.iterdir()] == ["latest.npz"]
    assert not {"pool/values", "fitted-on", "pool/born"} & set(storage.load(path))
    loaded = Checkpoint.load(path, GAUSSIAN, last)
    assert (loaded.measured, loaded.stage.generation) == (saved.measured, last)
    assert loaded.stage.model.arrays().keys() == saved.stage.model.arrays().keys()
    assert loaded.stage.pool is None
    with pytest.raises(StorageError, match=f"finished at generation {last}, its rows are gone"):
        Checkpoint.load(path, GAUSSIAN, last + 1)


def test_what_a_node_keeps_is_its_owners_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        path = tmp_path / "run" / "seed-0" / "north" / "latest.npz"
        checkpoint().save(path)
        telling(path.with_name("training.json"))(1, 2)
    finally:
        os.umask(before)
    for place in (path, path.with_name("training.json")):
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
    for folder in list(path.parents)[:3]:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_of_generation_0_the_rows_are_not_kept(tmp_path):
    """A thousand silos start from the same public rows, and no later generation sees them."""
    path, saved = tmp_path / "latest.npz", checkpoint()
    first = replace(
        saved, stage=replace(saved.stage, generation=0), measured=Measured(saved.measured.rows[:1])
    )
    first.save(path, last=3)
    assert "pool/values" not in storage.load(path)
    assert not finished(path)
    loaded = Checkpoint.load(path, GAUSSIAN, 3)
    assert loaded.stage.pool is None
    assert loaded.stage.training is None
    assert np.array_equal(loaded.stage.model.mean, saved.stage.model.mean)
