# SPDX-License-Identifier: Apache-2.0
"""How large a denoiser is and how fast it trains and draws here, measured by a few steps on random rows."""

from typing import TYPE_CHECKING

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.diffusion.architecture import Architecture, architecture_of
from tailweave.clients.generators.diffusion.base import fresh, load_base
from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.sampling import Sampling, draw
from tailweave.clients.generators.diffusion.training import train
from tailweave.clients.neural.cost import Size, Speed, now, scaled
from tailweave.clients.neural.device import place_of, torch_stream
from tailweave.clients.neural.epochs import Effort
from tailweave.clients.neural.extra import neural
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec
from tailweave.protocols.streams import stream

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_SOME_STEPS = 3
_COPIES = 6
"""Gradient, two moments of AdamW, average, and the generation before and after."""


def size_of(spec: DiffusionSpec, columns: int) -> Size:
    """Count parameters and activations without making either: shapes only; a base is loaded.

    Raises:
        ValueError: If the network does not fit the columns, or a base cannot be loaded.
    """
    torch = neural("torch")
    architecture = _architecture(spec, columns)
    denoiser = Denoiser(architecture, architecture.build("meta").train())
    own = {_storage(parameter)._cdata for parameter in denoiser.network.parameters()}
    kept: dict[int, int] = {}
    alive = []  # a storage that is freed could give its address to the next one

    def pack(tensor: "Tensor") -> "Tensor":
        storage = _storage(tensor)
        alive.append(storage)
        if storage._cdata not in own:
            kept[storage._cdata] = int(storage.nbytes())
        return tensor

    rows = torch.zeros(spec.batch_size, columns, device="meta")
    levels = torch.zeros(spec.batch_size, dtype=torch.int64, device="meta")
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        denoiser(rows, levels)
    parameters = sum(parameter.numel() for parameter in denoiser.network.parameters())
    return Size(parameters, parameters, _COPIES, sum(kept.values()))


def _storage(tensor: "Tensor") -> "torch.UntypedStorage":
    return tensor.untyped_storage()


def speeds(spec: DiffusionSpec, columns: int) -> list[Speed]:
    """Measure every device that torch finds here; a CPU with one thread, as in a run.

    Slow devices are given a part of the batch, and the time is taken to grow with it.

    Raises:
        ValueError: If the network does not fit the columns, or a base cannot be loaded.
    """
    devices = ["cpu", *(["cuda"] if neural("torch").cuda.is_available() else [])]
    return [_speed(spec.model_copy(update={"device": device}), columns) for device in devices]


def _speed(spec: DiffusionSpec, columns: int) -> Speed:
    torch = neural("torch")
    place = place_of(spec)
    name = torch.cuda.get_device_name() if place.device == "cuda" else "cpu, one thread"
    rng = stream(0, "measure")
    denoiser = fresh(_architecture(spec, columns), torch_stream(rng))
    denoiser.network.to(place.device)

    def steps(batch: int) -> float:
        few = spec.model_copy(update={"batch_size": batch, "device": place.device})
        rows = rng.standard_normal((batch, columns))
        times: list[float] = []
        beside = Course(tell=lambda done, total: times.append(now(place.device)))
        train(denoiser, rows, few, Effort(1 + _SOME_STEPS, place, beside, rng))
        return float(np.median(np.diff(times)))

    def draws(batch: int) -> float:
        how = Sampling(2, batch, clip=False, place=place)
        draw(denoiser, batch, how, rng=rng)
        start = now(place.device)
        draw(denoiser, batch, how, rng=rng)
        return (now(place.device) - start) / 2 * min(spec.sampling_steps, denoiser.steps)

    step = scaled(steps, spec.batch_size)
    return Speed(name, step, scaled(draws, spec.sampling_batch) / spec.sampling_batch)


def _architecture(spec: DiffusionSpec, columns: int) -> Architecture:
    if spec.base is not None:
        return load_base(spec.base, columns).architecture
    return architecture_of(spec, columns)
