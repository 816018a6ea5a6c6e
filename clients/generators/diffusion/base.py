# SPDX-License-Identifier: Apache-2.0
"""A pretrained diffusers model, from a folder or by its hub name.

Only safetensors and JSON are read, by the classes that are named here: diffusers' own loader of pipelines
would run a Python file that a model brings along, and unpickle weights where it finds no safetensors.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailweave.clients.generators.diffusion.architecture import Architecture
from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.neural import built
from tailweave.clients.neural.extra import neural

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
_WANTED = tuple(
    f"{folder}{name}"
    for folder in ("", "unet/", "scheduler/")
    for name in ("*.json", "diffusion_pytorch_model*.safetensors")
)
"""What is downloaded of a model: no code, no pickles."""


def load_base(name: str, columns: int, *, offline: bool = False) -> Denoiser:
    """Load an unconditional image model that diffusers saved: a pipeline (DDPM, DDIM), or a bare UNet2DModel.

    Args:
        name: A folder, or ``owner/name`` on the hub (downloaded once, to diffusers' own cache).
        columns: p, of the rows that it is to generate.
        offline: Whether the model must be on this machine: a folder, or in the cache.

    Returns:
        The denoiser, on the CPU. A bare network gets DDPM's own noise: 1,000 levels, linear.

    Raises:
        ValueError: If there is no such model, it is not of this kind, or its images have another size.
    """
    network, noise = _load(name, offline=offline)
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


def _load(name: str, *, offline: bool) -> tuple[Any, dict[str, Any]]:
    diffusers = neural("diffusers")
    if not Path(name).exists() and (name.count("/") != 1 or name.startswith(("/", "."))):
        raise ValueError(f"generator.base: {name}: no such folder, and not a hub name (owner/name)")
    diffusers.utils.logging.disable_progress_bar()
    try:
        folder = Path(name) if Path(name).exists() else _from_hub(name, offline=offline)
        index = _index(folder)
        _, kind = index.get("unet", (None, "NoneType")) if index else (None, "UNet2DModel")
        network = _network(folder) if kind == "UNet2DModel" else None
        scheduler = _scheduler(folder, index) if index else diffusers.DDPMScheduler()
    except (OSError, ValueError, TypeError, AttributeError, LookupError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"generator.base: {name} cannot be loaded as a diffusers model: {reason}") from None
    if network is None:
        raise ValueError(f"generator.base: {name} holds no UNet2DModel but {str(kind)[:60]}")
    noise = {key: scheduler.config[key] for key in _NOISE_KEYS if key in scheduler.config}
    if noise.get("prediction_type", "epsilon") not in _PREDICTED:
        raise ValueError(
            f"generator.base: {name} predicts {noise['prediction_type']}, allowed: {', '.join(_PREDICTED)}"
        )
    return network, noise


def _from_hub(name: str, *, offline: bool) -> Path:
    """Return the folder of a model in the hub's cache, downloaded if it may be."""
    hub = neural("huggingface_hub")
    return Path(hub.snapshot_download(name, allow_patterns=list(_WANTED), local_files_only=offline))


def _index(folder: Path) -> dict[str, Any] | None:
    """Return what a pipeline says of its parts: by name, library and class; None for a bare network."""
    path = folder / _PIPELINE
    if not path.exists():
        return None
    index = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(index, dict):
        raise ValueError(f"{_PIPELINE} is no mapping")
    return index


def _network(folder: Path) -> Any:  # noqa: ANN401 - diffusers has no types
    """Load a network; diffusers would fill one of another class with random weights, and only warn."""
    network = neural("diffusers").UNet2DModel
    place = {"subfolder": _part(folder, "unet"), "local_files_only": True}
    found = network.load_config(folder, **place).get("_class_name")
    if found != network.__name__:
        raise ValueError(f"holds no {network.__name__} but {found}")
    loaded, told = network.from_pretrained(
        folder, **place, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
    )
    if told["missing_keys"]:
        raise ValueError(f"lacks weights {', '.join(sorted(told['missing_keys'])[:3])}")
    return loaded


def _scheduler(folder: Path, index: dict[str, Any]) -> Any:  # noqa: ANN401 - as above
    """Load the noise, as one of diffusers' own classes."""
    diffusers = neural("diffusers")
    _, name = index["scheduler"]
    kind = getattr(diffusers, str(name), None)
    if not (isinstance(kind, type) and issubclass(kind, diffusers.SchedulerMixin)):
        raise ValueError(f"its scheduler {str(name)[:60]} is none of diffusers'")
    scheduler: Any = kind
    return scheduler.from_pretrained(folder, subfolder=_part(folder, "scheduler"), local_files_only=True)


def _part(folder: Path, name: str) -> str | None:
    """Return the sub-folder of a part; older models have all parts in the one folder."""
    return name if (folder / name).is_dir() else None


def fresh(architecture: Architecture, source: "torch.Generator") -> Denoiser:
    """Build a denoiser with first weights of its own stream, on the CPU."""
    return Denoiser(architecture, built.fresh(lambda: architecture.build("cpu"), source))
