# SPDX-License-Identifier: Apache-2.0
"""What a denoiser is built from, as JSON that travels with its weights, so that any silo can rebuild it."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.diffusion.perceptron import perceptron
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, UnetSpec

if TYPE_CHECKING:
    import torch

_LONGEST = 65_536
_LINEAR_BETAS = (0.1, 20.0)
"""First and last noise variance of DDPM's linear schedule, times the steps (Ho et al. 2020: 1,000)."""


@dataclass(frozen=True)
class Architecture:
    """Everything about a denoiser but its weights.

    Attributes:
        columns: p, of a row.
        network: ``{"kind": "mlp", "hidden", "layers"}``, or ``{"kind": "unet", **config}`` with the
            configuration of a diffusers ``UNet2DModel``.
        noise: Configuration of a diffusers scheduler.
    """

    columns: int
    network: dict[str, Any]
    noise: dict[str, Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row as the network takes it: (p,), or (channels, height, width)."""
        if self.network["kind"] == "mlp":
            return (self.columns,)
        size = self.network["sample_size"]
        height, width = (size, size) if isinstance(size, int) else size
        return int(self.network["in_channels"]), int(height), int(width)

    def build(self, device: str) -> "torch.nn.Module":
        """Build the network; device ``meta`` gives its shapes without memory.

        Raises:
            ValueError: If diffusers refuses the configuration.
        """
        with neural("torch").device(device):
            if self.network["kind"] == "mlp":
                return perceptron(self.columns, self.network["hidden"], self.network["layers"])
            config = {name: value for name, value in self.network.items() if name != "kind"}
            try:
                built: torch.nn.Module = neural("diffusers").UNet2DModel.from_config(config)
            except (ValueError, TypeError, RuntimeError) as error:
                raise ValueError(f"diffusers cannot build this UNet2DModel: {error}") from None
            return built

    def encode(self) -> Floats:
        """Return the JSON's bytes as numbers, shape (b,), as they cross the wire."""
        text = json.dumps({"columns": self.columns, "network": self.network, "noise": self.noise})
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.float64)

    @classmethod
    def decode(cls, codes: Floats) -> "Architecture":
        """Read ``encode()``.

        Raises:
            ValueError: If it is not the JSON of an architecture.
        """
        wrong = "array 'architecture' is not the JSON of a denoiser"
        if codes.ndim != 1 or codes.size > _LONGEST or not ((codes >= 0) & (codes < 256)).all():
            raise ValueError(f"{wrong}: it must be at most {_LONGEST} bytes, got shape {codes.shape}")
        try:
            raw = json.loads(codes.astype(np.uint8).tobytes())
            found = cls(int(raw["columns"]), dict(raw["network"]), dict(raw["noise"]))
            fits = found.network["kind"] in ("mlp", "unet") and np.prod(found.shape) == found.columns
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{wrong}: {error}") from None
        if not fits:
            raise ValueError(f"{wrong}: kind and shape do not fit {found.columns} columns")
        return found


def architecture_of(spec: DiffusionSpec, columns: int) -> Architecture:
    """Return the architecture that ``spec`` describes where no base brings one.

    Raises:
        ValueError: If an image's shape does not fit the rows.
    """
    network = spec.own_network
    first, last = (beta / spec.steps for beta in _LINEAR_BETAS)
    noise = {
        "num_train_timesteps": spec.steps,
        "beta_schedule": "squaredcos_cap_v2" if spec.noise_schedule == "cosine" else "linear",
        "beta_start": first,
        "beta_end": min(last, 0.999),
        "prediction_type": "epsilon" if spec.predict == "noise" else "v_prediction",
    }
    if not isinstance(network, UnetSpec):
        return Architecture(
            columns, {"kind": "mlp", "hidden": network.hidden, "layers": network.layers}, noise
        )
    if network.columns != columns:
        shape = " x ".join(map(str, network.shape))
        raise ValueError(
            f"generator.network.shape {shape} makes {network.columns} columns, the rows have {columns}"
        )
    return Architecture(columns, {"kind": "unet", **_unet(network)}, noise)


def _unet(spec: UnetSpec) -> dict[str, Any]:
    attention = spec.attention or (False,) * len(spec.channels)
    return {
        "sample_size": [spec.shape[1], spec.shape[2]],
        "in_channels": spec.shape[0],
        "out_channels": spec.shape[0],
        "block_out_channels": list(spec.channels),
        "layers_per_block": spec.layers_per_block,
        "down_block_types": ["AttnDownBlock2D" if here else "DownBlock2D" for here in attention],
        "up_block_types": ["AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attention)],
        "norm_num_groups": spec.groups,
        "attention_head_dim": None,
        "dropout": spec.dropout,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
    }
