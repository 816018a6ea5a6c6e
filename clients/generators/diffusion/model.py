# SPDX-License-Identifier: Apache-2.0
"""A fitted diffusion model: weights, what they were built from, and the scale of the rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.generators.diffusion.architecture import Architecture, architecture_of
from tailweave.clients.generators.diffusion.base import fresh, load_base
from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.levels import columns_of
from tailweave.clients.generators.diffusion.sampling import Sampling, draw
from tailweave.clients.generators.diffusion.training import train
from tailweave.clients.neural import built
from tailweave.clients.neural.built import Tensor
from tailweave.clients.neural.device import place_of, torch_stream
from tailweave.clients.neural.epochs import Effort
from tailweave.clients.samples import Samples, Sort
from tailweave.clients.sorts import Block
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec


@dataclass(frozen=True)
class Diffusion:
    """A denoiser of scaled rows, with averaged weights.

    Attributes:
        spec: Options of training and drawing.
        architecture: What the network is built from.
        offset: Shape (p,), data units.
        scale: Shape (p,), data units, positive; the network sees (row - offset) / scale.
        weights: Parameters by torch's names, float32.
        sort: What it draws; None for rows of unnamed columns.
    """

    spec: DiffusionSpec
    architecture: Architecture
    offset: Floats
    scale: Floats
    weights: dict[str, Tensor]
    sort: Sort | None = None

    @property
    def parameters(self) -> int:
        """Number of trained numbers."""
        return sum(tensor.size for tensor in self.weights.values())

    @classmethod
    def fit(
        cls,
        spec: DiffusionSpec,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: "Diffusion | None" = None,
        course: Course = NOTHING_BESIDE,
    ) -> "Diffusion":
        """Train on rows: from the base or from nothing at first, then on from the previous model.

        Args:
            spec: Options.
            samples: n >= 1 of them.
            rng: Stream of first weights, order, noise and levels.
            previous: Model of the generation before; with ``warm-start`` training goes on from it, for
                ``epochs`` instead of ``first-epochs``, and its scale is kept.
            course: Whom to tell, and where to keep an unfinished state.

        Returns:
            The model.

        Raises:
            ValueError: If rows do not fit the network or lie outside ``value-range``, the base cannot be
                loaded, the loss is not finite, or a package is missing.
        """
        rows = samples.values
        _check_range(spec, rows)
        place = place_of(spec)
        goes_on = previous is not None and spec.warm_start
        denoiser = _start(spec, rows, previous if goes_on else None, rng, offline=course.offline)
        offset, scale = (previous.offset, previous.scale) if previous and goes_on else _scale(spec, samples)
        denoiser.network.to(place.device)
        denoiser = replace(denoiser, compiled=spec.compiled, blocks=_blocks(spec, samples.sort))
        epochs = spec.epochs if goes_on else spec.first_epochs
        if epochs:
            train(denoiser, (rows - offset) / scale, spec, Effort(epochs, place, course, rng))
        weights = built.weights_of(denoiser.network)
        return cls(spec, denoiser.architecture, offset, scale, weights, samples.sort)

    @cached_property
    def _denoiser(self) -> Denoiser:
        denoiser = _with_weights(self.architecture, self.weights, place_of(self.spec).device)
        blocks = _blocks(self.spec, self.sort)
        return replace(denoiser, compiled=self.spec.compiled, blocks=blocks)

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw rows, shape (count, p), data units, within ``value-range`` if there is one."""
        spec = self.spec
        how = Sampling(spec.sampling_steps, spec.sampling_batch, spec.makes_images, place_of(spec))
        rows: Floats = draw(self._denoiser, count, how, rng=rng) * self.scale + self.offset
        return Samples.of(rows if spec.limits is None else np.clip(rows, *spec.limits), sort=self.sort)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return architecture, scale and weights by name, weights in float32."""
        return {
            "architecture": self.architecture.encode(),
            "offset": self.offset,
            "scale": self.scale,
        } | built.as_arrays(self.weights)

    @classmethod
    def from_arrays(
        cls, spec: DiffusionSpec, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None
    ) -> "Diffusion":
        """Rebuild from ``arrays()``.

        Raises:
            ValueError: If a part is missing, does not fit, or is not the network that ``spec`` describes.
        """
        missing = [name for name in ("architecture", "offset", "scale") if name not in arrays]
        if missing:
            raise ValueError(f"a diffusion model lacks arrays {', '.join(missing)}")
        architecture = Architecture.decode(arrays["architecture"])
        if spec.base is None and architecture != architecture_of(spec, architecture.columns):
            raise ValueError("the diffusion model's architecture is not the one that generator describes")
        offset, scale = arrays["offset"], arrays["scale"]
        if offset.shape != (architecture.columns,) or scale.shape != offset.shape or not (scale > 0).all():
            raise ValueError(
                f"offset {offset.shape} and scale {scale.shape} must have {architecture.columns} entries, "
                "scale positive"
            )
        weights = built.from_arrays(architecture.build("meta"), arrays)
        return cls(spec, architecture, offset, scale, weights, sort)


def _start(
    spec: DiffusionSpec, rows: Floats, previous: Diffusion | None, rng: np.random.Generator, *, offline: bool
) -> Denoiser:
    source = torch_stream(rng)  # drawn in any case: what follows in the stream must not depend on the start
    if previous is not None:
        if rows.shape[1] != previous.architecture.columns:
            raise ValueError(
                f"training rows must have {previous.architecture.columns} columns, got {rows.shape[1]}"
            )
        return _with_weights(previous.architecture, previous.weights, "cpu")
    if spec.base is not None:
        return load_base(spec.base, rows.shape[1], offline=offline)
    return fresh(architecture_of(spec, rows.shape[1]), source)


def _with_weights(architecture: Architecture, weights: Mapping[str, Tensor], device: str) -> Denoiser:
    network = architecture.build("meta")
    built.with_weights(network, weights, device)
    return Denoiser(architecture, network)


def _blocks(spec: DiffusionSpec, sort: Sort | None) -> tuple[Block, ...]:
    """Return the columns of levels; a network for images knows none."""
    return () if sort is None or spec.makes_images else sort.blocks


def _scale(spec: DiffusionSpec, samples: Samples) -> tuple[Floats, Floats]:
    """Return what brings an image's range to [-1, 1]; for other rows, the means and one spread.

    They are of the columns of numbers; a level stands as 1 in its column.
    """
    rows, columns = samples.values, samples.values.shape[1]
    if spec.makes_images:
        low, high = spec.limits or (0.0, 1.0)
        return np.full(columns, (low + high) / 2), np.full(columns, (high - low) / 2)
    blocks = _blocks(spec, samples.sort)
    numbers = np.setdiff1d(np.arange(columns), columns_of(blocks))
    offset, scale = np.zeros(columns), np.ones(columns)
    for block in blocks:
        scale[block.start : block.stop] = block.unit
    mine = rows[:, numbers] if blocks else rows
    offset[numbers] = mine.mean(axis=0)
    if (mine != mine[:1]).any():  # else the mean may miss them by a rounding error, which is no spread
        scale[numbers] = float(np.sqrt(((mine - offset[numbers]) ** 2).mean()))
    return offset, scale


def _check_range(spec: DiffusionSpec, rows: Floats) -> None:
    if spec.limits is None:
        return
    low, high = spec.limits
    if rows.min() < low or rows.max() > high:
        raise ValueError(
            f"training rows must lie in generator.value-range [{low:g}, {high:g}], "
            f"got {rows.min():g} to {rows.max():g}"
        )
