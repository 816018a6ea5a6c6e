# SPDX-License-Identifier: Apache-2.0
"""Options of the generator ``diffusion``: network, noise, training, and what it runs on."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.kinds.generators.base import anchored_base, check_base
from tailweave.protocols.kinds.generators.trained import Positive, Trained


class MlpSpec(Spec):
    """A residual perceptron for rows of numbers."""

    kind: Literal["mlp"] = "mlp"
    hidden: Annotated[int, Field(ge=1, le=65_536)] = 256
    layers: Annotated[int, Field(ge=1, le=100)] = 3


class UnetSpec(Spec):
    """A ``UNet2DModel`` for images; ``channels`` has one entry a resolution, each half of the one before.

    ``attention`` has one entry a resolution too; empty means none.
    """

    kind: Literal["unet"]
    shape: tuple[Positive, Positive, Positive]
    channels: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=8)] = (32, 64)
    layers_per_block: Annotated[int, Field(ge=1, le=8)] = 1
    attention: tuple[bool, ...] = ()
    groups: Positive = 8
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0

    @property
    def columns(self) -> int:
        """Channels x height x width."""
        channels, height, width = self.shape
        return channels * height * width

    @model_validator(mode="after")
    def _levels_fit(self) -> Self:
        if self.attention and len(self.attention) != len(self.channels):
            raise ValueError(
                f"attention must have one entry for each of the {len(self.channels)} channels, "
                f"got {len(self.attention)}"
            )
        step = 2 ** (len(self.channels) - 1)
        if self.shape[1] % step or self.shape[2] % step:
            raise ValueError(
                f"shape: height and width must be multiples of {step} for {len(self.channels)} "
                f"channels, got {self.shape[1]} x {self.shape[2]}"
            )
        odd = [width for width in self.channels if width % self.groups]
        if odd:
            raise ValueError(f"channels must be multiples of groups = {self.groups}, got {odd[0]}")
        return self


NetworkSpec = Annotated[MlpSpec | UnetSpec, Field(discriminator="kind")]


class DiffusionSpec(Trained):
    """A denoising diffusion model (DDPM, sampled by DDIM); each refit goes on from the one before.

    ``base`` is a folder or hub name of a pretrained diffusers model, which brings its own network and noise.
    In a table with declared columns the perceptron diffuses levels as levels (TabDDPM), beside the numbers.
    What is drawn is clipped to ``value-range`` (images: [0, 1] if not given); rows outside it are refused.
    ``compiled`` calls the network through torch's compiler: minutes at first, worth it for a large network on
    a GPU; it needs a C++ compiler, and rounds otherwise.
    """

    kind: Literal["diffusion"]
    network: NetworkSpec | None = None
    base: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    value_range: tuple[float, float] | None = None
    steps: Annotated[int, Field(ge=1, le=10_000)] = 100
    noise_schedule: Literal["cosine", "linear"] = "cosine"
    predict: Literal["noise", "velocity"] = "velocity"
    sampling_steps: Positive = 25
    sampling_batch: Positive = 1024
    compiled: bool = False

    @property
    def makes_images(self) -> bool:
        """Whether rows are images: a base or a UNet."""
        return self.base is not None or isinstance(self.network, UnetSpec)

    @property
    def opened_models(self) -> tuple[str, ...]:
        """The base, where a silo fits generation 0 itself, or begins each refit anew."""
        opens = self.base is not None and (self.start == "local" or not self.warm_start)
        return (self.base,) if self.base is not None and opens else ()

    def anchored(self, folder: Path) -> Self:
        """Return the same with a base that is a folder there; else it may be a name on the hub."""
        return self.model_copy(update={"base": anchored_base(self.base, folder)})

    @property
    def limits(self) -> tuple[float, float] | None:
        """Between which values all rows lie, if they must: ``value-range``, and [0, 1] for images."""
        return self.value_range or ((0.0, 1.0) if self.makes_images else None)

    @property
    def in_steps(self) -> str:
        """Rows of a step, and what drawing costs."""
        return f"{self.batch_size} rows a step, {self.sampling_steps} network calls a row drawn"

    @property
    def own_network(self) -> MlpSpec | UnetSpec:
        """The network where no base brings one."""
        return self.network or MlpSpec()

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        check_base(self.base, self.network, self.first_epochs)
        if self.base is None and self.sampling_steps > self.steps:
            raise ValueError(
                f"sampling-steps must be at most steps = {self.steps}, got {self.sampling_steps}"
            )
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            raise ValueError(f"value-range must grow, got {list(self.value_range)}")
        return self
