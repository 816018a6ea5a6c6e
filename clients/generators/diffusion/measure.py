# SPDX-License-Identifier: Apache-2.0
"""How large a denoiser is and how fast it trains and draws here, measured by a few steps on random rows."""

import math

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.diffusion.architecture import Architecture, architecture_of
from tailweave.clients.generators.diffusion.base import fresh, load_base
from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.sampling import Sampling, draw
from tailweave.clients.generators.diffusion.training import train
from tailweave.clients.neural import measure
from tailweave.clients.neural.cost import Size, Speed
from tailweave.clients.neural.device import place_of, torch_stream
from tailweave.clients.neural.epochs import Effort
from tailweave.clients.neural.extra import neural
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec
from tailweave.protocols.streams import stream

_DRAWN_STEPS = 2
"""Of DDIM, that are timed; all take the same time."""


def size_of(spec: DiffusionSpec, shape: tuple[int, ...]) -> Size:
    """Count parameters and activations without making either; a base is loaded.

    Raises:
        ValueError: If the network does not fit the columns, or a base cannot be loaded.
    """
    torch, columns = neural("torch"), math.prod(shape)
    architecture = _architecture(spec, columns)
    denoiser = Denoiser(architecture, architecture.build("meta").train())
    rows = torch.zeros(spec.batch_size, columns, device="meta")
    levels = torch.zeros(spec.batch_size, dtype=torch.int64, device="meta")
    return measure.size_of(denoiser.network, lambda: denoiser(rows, levels))


def speeds(spec: DiffusionSpec, shape: tuple[int, ...]) -> list[Speed]:
    """Measure every device that torch finds here.

    Raises:
        ValueError: If the network does not fit the columns, or a base cannot be loaded.
    """
    columns = math.prod(shape)
    return [_speed(spec.model_copy(update={"device": device}), columns) for device in measure.devices()]


def _speed(spec: DiffusionSpec, columns: int) -> Speed:
    place, rng = place_of(spec), stream(0, "measure")
    denoiser = fresh(_architecture(spec, columns), torch_stream(rng))
    denoiser.network.to(place.device)

    def trained(batch: int, course: Course) -> None:
        few = spec.model_copy(update={"batch_size": batch})
        effort = Effort(measure.SOME_STEPS, place, course, rng)
        train(denoiser, rng.standard_normal((batch, columns)), few, effort)

    def drawn(batch: int) -> None:
        draw(denoiser, batch, Sampling(_DRAWN_STEPS, batch, clip=False, place=place), rng=rng)

    found = measure.speed_of(place, trained, drawn, (spec.batch_size, spec.sampling_batch))
    calls = min(spec.sampling_steps, denoiser.steps) / _DRAWN_STEPS
    return Speed(found.device, found.step_seconds, found.row_seconds * calls)


def _architecture(spec: DiffusionSpec, columns: int) -> Architecture:
    if spec.base is not None:
        return load_base(spec.base, columns).architecture
    return architecture_of(spec, columns)
