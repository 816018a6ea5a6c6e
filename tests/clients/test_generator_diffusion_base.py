# SPDX-License-Identifier: Apache-2.0
"""Pretrained bases: tiny ones, saved by diffusers itself and loaded from their folders."""

import numpy as np
import pytest
from later import later

from tailweave.clients import generators
from tailweave.clients.generators.diffusion import Diffusion
from tailweave.clients.generators.diffusion.base import load_base
from tailweave.clients.samples import Samples
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec
from tailweave.protocols.streams import stream

torch, diffusers, safetensors = later("torch"), later("diffusers"), later("safetensors.torch")


def tiny_unet(**changes):
    options = {
        "sample_size": 4,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": (8,),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",),
        "norm_num_groups": 4,
        "attention_head_dim": 4,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return diffusers.UNet2DModel(**(options | changes))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("base") / "tiny-ddpm"
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=40, beta_schedule="squaredcos_cap_v2")
    diffusers.DDPMPipeline(unet=tiny_unet(), scheduler=scheduler).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("base") / "tiny-unet"
    tiny_unet().save_pretrained(folder)
    return str(folder)


def spec_of(base: str, **options) -> DiffusionSpec:
    return DiffusionSpec(
        **(
            {"kind": "diffusion", "base": base, "device": "cpu", "first_epochs": 0, "sampling_steps": 20}
            | options
        )
    )


def rows_of(count: int, columns: int = 16) -> np.ndarray:
    return stream(0, "rows").random((count, columns))


def test_a_base_draws_what_diffusers_own_pipeline_draws(pipeline):
    """Oracle: DDIMPipeline with our settings and first noise; in float32, whose sums differ with threads."""
    model = Diffusion.fit(spec_of(pipeline), Samples.of(rows_of(2)), rng=stream(0, "fit"))
    drawn = model.sample(6, rng=stream(0, "sample")).values

    loaded = diffusers.DDPMPipeline.from_pretrained(pipeline)
    oracle = diffusers.DDIMPipeline(loaded.unet, loaded.scheduler)
    settings = {"timestep_spacing": "trailing", "clip_sample": True, "set_alpha_to_one": True}
    oracle.scheduler.register_to_config(**settings)
    oracle.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(int(stream(0, "sample").integers(2**63)))
    images = oracle(batch_size=6, generator=noise, num_inference_steps=20, output_type="np").images
    np.testing.assert_allclose(drawn, images.transpose(0, 3, 1, 2).reshape(6, 16), atol=1e-4)


@pytest.mark.parametrize("name", ["pipeline", "bare"])
def test_a_base_is_used_as_it_is_when_there_are_no_first_epochs(name, request):
    folder = request.getfixturevalue(name)
    model = Diffusion.fit(spec_of(folder), Samples.of(rows_of(2)), rng=stream(0, "fit"))
    wanted = tiny_unet().state_dict()
    assert model.weights.keys() == wanted.keys()
    assert all(np.array_equal(model.weights[n], wanted[n].numpy()) for n in wanted)
    assert model.architecture.noise["num_train_timesteps"] == (40 if name == "pipeline" else 1000)


def test_a_base_is_trained_on_and_gone_on_from(pipeline):
    spec = spec_of(pipeline, first_epochs=1, epochs=1)
    first = Diffusion.fit(spec, Samples.of(rows_of(10)), rng=stream(0, "fit"))
    assert not np.array_equal(first.weights["conv_in.weight"], tiny_unet().conv_in.weight.detach().numpy())
    second = generators.fit(spec, Samples.of(rows_of(10)), rng=stream(1, "fit"), previous=first)
    assert not np.array_equal(first.weights["conv_in.weight"], second.arrays()["weights/conv_in.weight"])


def test_a_silo_rebuilds_a_base_that_it_does_not_have(pipeline):
    model = Diffusion.fit(spec_of(pipeline), Samples.of(rows_of(2)), rng=stream(0, "fit"))
    elsewhere = spec_of("/not/on/this/node")
    again = generators.from_arrays(elsewhere, model.arrays())
    drawn = [m.sample(3, rng=stream(0, "sample")).values for m in (model, again)]
    assert np.array_equal(*drawn)


def test_a_base_of_other_images_is_refused(pipeline):
    with pytest.raises(ValueError, match="makes images of 1 x 4 x 4 = 16 columns, the rows have 64"):
        load_base(pipeline, 64)


def test_a_base_that_changes_the_channels_is_refused(tmp_path):
    tiny_unet(out_channels=2).save_pretrained(tmp_path / "two")
    with pytest.raises(ValueError, match="turns 1 channels into 2"):
        load_base(str(tmp_path / "two"), 16)


def test_a_missing_base_is_named():
    with pytest.raises(ValueError, match="/no/such/base: no such folder, and not a hub name"):
        load_base("/no/such/base", 16)


def test_a_hub_name_that_cannot_be_had_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match="tailweave-tests/not-cached cannot be loaded as a diffusers model"):
        load_base("tailweave-tests/not-cached", 16)


def test_a_folder_without_a_model_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty cannot be loaded as a diffusers model"):
        load_base(str(tmp_path / "empty"), 16)


def test_a_model_of_another_kind_is_refused(tmp_path):
    diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=2).save_pretrained(
        tmp_path / "vae"
    )
    with pytest.raises(ValueError, match="vae cannot be loaded .*: holds no UNet2DModel but AutoencoderKL"):
        load_base(str(tmp_path / "vae"), 16)


def test_a_base_without_some_of_its_weights_is_refused(tmp_path):
    folder = tmp_path / "cut"
    tiny_unet().save_pretrained(folder)
    weights = safetensors.load_file(folder / "diffusion_pytorch_model.safetensors")
    del weights["conv_in.bias"]
    safetensors.save_file(weights, folder / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ValueError, match="cut cannot be loaded .*: lacks weights conv_in.bias"):
        load_base(str(folder), 16)


def test_a_pipeline_without_a_unet_of_images_is_refused(tmp_path):
    diffusers.DiTPipeline(
        transformer=diffusers.DiTTransformer2DModel(
            num_attention_heads=1, attention_head_dim=4, num_layers=1, sample_size=4
        ),
        vae=diffusers.AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, latent_channels=2),
        scheduler=diffusers.DDIMScheduler(),
    ).save_pretrained(tmp_path / "dit")
    with pytest.raises(ValueError, match="dit holds no UNet2DModel but NoneType"):
        load_base(str(tmp_path / "dit"), 16)


def test_a_scheduler_that_predicts_something_else_is_refused(tmp_path):
    scheduler = diffusers.EulerDiscreteScheduler(prediction_type="epsilon")
    scheduler.register_to_config(prediction_type="flow")
    diffusers.DDPMPipeline(unet=tiny_unet(), scheduler=scheduler).save_pretrained(tmp_path / "odd")
    with pytest.raises(ValueError, match="odd predicts flow, allowed: epsilon, sample, v_prediction"):
        load_base(str(tmp_path / "odd"), 16)
