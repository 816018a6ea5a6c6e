# SPDX-License-Identifier: Apache-2.0
"""A network at work on flat rows, whatever shape it takes them in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tailweave.clients.generators.diffusion.architecture import Architecture
from tailweave.clients.generators.diffusion.levels import columns_of
from tailweave.clients.generators.diffusion.perceptron import predict
from tailweave.clients.neural.extra import neural
from tailweave.clients.sorts import Block

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Denoiser:
    """An architecture with weights, on a device.

    Attributes:
        architecture: What it was built from.
        network: The torch module.
        compiled: Whether calls go through torch's compiler.
        blocks: Columns of levels, for which it says logits; see ``levels.py``.
    """

    architecture: Architecture
    network: "torch.nn.Module"
    compiled: bool = False
    blocks: tuple[Block, ...] = ()

    @property
    def numbers(self) -> list[int]:
        """All columns but those of levels."""
        levels = columns_of(self.blocks)
        return [at for at in range(self.architecture.columns) if at not in levels]

    @property
    def steps(self) -> int:
        """T, the number of noise levels."""
        return int(self.architecture.noise["num_train_timesteps"])

    @cached_property
    def _called(self) -> "Callable[[Tensor, Tensor], Any]":
        """What is called: the same code for every generation, so that it is compiled once a process."""
        mlp = self.architecture.network["kind"] == "mlp"
        plain = (lambda rows, time: predict(self.network, rows, time)) if mlp else self.network
        called: Callable[[Tensor, Tensor], Any] = neural("torch").compile(plain) if self.compiled else plain
        return called

    def __call__(self, noisy: "Tensor", level: "Tensor") -> "Tensor":
        """Predict the noise (or what the base was trained to predict), and logits of levels.

        Args:
            noisy: Scaled rows with noise, shape (n, p).
            level: Noise levels in 0..T-1, integers, shape (n,).

        Returns:
            Shape (n, p), float32.
        """
        if self.architecture.network["kind"] == "mlp":
            guess: Tensor = self._called(noisy, (level + 1) / self.steps).float()
            return guess
        shaped = noisy.reshape(len(noisy), *self.architecture.shape)
        found: Tensor = self._called(shaped, level).sample.reshape(len(noisy), -1).float()
        return found

    def scheduler(self, *, clip: bool) -> Any:  # noqa: ANN401 - diffusers has no types
        """Return a DDIM scheduler for this denoiser's noise; ``clip`` keeps its guesses in [-1, 1]."""
        settings = {"timestep_spacing": "trailing", "clip_sample": clip, "set_alpha_to_one": True}
        return neural("diffusers").DDIMScheduler.from_config({**self.architecture.noise, **settings})
