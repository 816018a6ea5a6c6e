# SPDX-License-Identifier: Apache-2.0
"""A pretrained diffusers model, from a folder or by its hub name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clients.generators.diffusion.architecture import Architecture
from clients.generators.diffusion.denoiser import Denoiser
from clients.generators.diffusion.extra import neural

if TYPE_CHECKING:
    import torch

_PIPELINE = "model_index.json"
_NOISE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "prediction_type",
)
_PREDICTED = ("epsilon", "sample", "v_prediction")


def load_base(name: str, columns: int) -> Denoiser:
    """Load an unconditional image model that diffusers saved: a pipeline (DDPM, DDIM), or a bare UNet2DModel.

    Args:
        name: A folder, or ``owner/name`` on the hub (downloaded once, to diffusers' own cache).
        columns: p, of the rows that it is to generate.

    Returns:
        The denoiser, on the CPU. A bare network gets DDPM's own noise: 1,000 levels, linear.

    Raises:
        ValueError: If there is no such model, it is not of this kind, or its images have another size.
    """
    network, noise = _load(name)
    config = {key: value for key, value in network.config.items() if not key.startswith("_")}
    architecture = Architecture(columns, {"kind": "unet", **config}, noise)
    channels, height, width = architecture.shape
    if channels * height * width != columns:
        raise ValueError(
            f"generator.base: {name} makes images of {channels} x {height} x {width} = "
            f"{channels * height * width} columns, the rows have {columns}"
        )
    if config["out_channels"] != channels:
        raise ValueError(f"generator.base: {name} turns {channels} channels into {config['out_channels']}")
    return Denoiser(architecture, network)


def _load(name: str) -> tuple[Any, dict[str, Any]]:
    diffusers = neural("diffusers")
    folder = Path(name)
    if not folder.exists() and (name.count("/") != 1 or name.startswith(("/", "."))):
        raise ValueError(f"generator.base: {name}: no such folder, and not a hub name (owner/name)")
    diffusers.utils.logging.disable_progress_bar()
    try:
        if not folder.exists() or (folder / _PIPELINE).exists():
            pipeline = diffusers.DiffusionPipeline.from_pretrained(name, low_cpu_mem_usage=False)
            network, scheduler = getattr(pipeline, "unet", None), pipeline.scheduler
        else:
            network, scheduler = _bare(name), diffusers.DDPMScheduler()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"generator.base: {name} cannot be loaded as a diffusers model: {reason}") from None
    if not isinstance(network, diffusers.UNet2DModel):
        raise ValueError(f"generator.base: {name} holds no UNet2DModel but {type(network).__name__}")
    noise = {key: scheduler.config[key] for key in _NOISE_KEYS if key in scheduler.config}
    if noise.get("prediction_type", "epsilon") not in _PREDICTED:
        raise ValueError(
            f"generator.base: {name} predicts {noise['prediction_type']}, allowed: {', '.join(_PREDICTED)}"
        )
    return network, noise


def _bare(folder: str) -> Any:  # noqa: ANN401 - diffusers has no types
    """Load a network alone; diffusers would fill one of another class with random weights, and only warn."""
    network = neural("diffusers").UNet2DModel
    found = network.load_config(folder).get("_class_name")
    if found != network.__name__:
        raise ValueError(f"holds no {network.__name__} but {found}")
    loaded, told = network.from_pretrained(folder, low_cpu_mem_usage=False, output_loading_info=True)
    if told["missing_keys"]:
        raise ValueError(f"lacks weights {', '.join(sorted(told['missing_keys'])[:3])}")
    return loaded


def fresh(architecture: Architecture, source: "torch.Generator") -> Denoiser:
    """Build a denoiser with first weights of its own stream, on the CPU.

    torch's layers draw their weights from the global generator; it is put back as it was.
    """
    torch = neural("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.initial_seed())
        return Denoiser(architecture, architecture.build("cpu"))
