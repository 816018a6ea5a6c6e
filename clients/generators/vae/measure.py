# SPDX-License-Identifier: Apache-2.0
"""How large an autoencoder is and how fast it trains and draws here, measured by a few steps."""

import math

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.vae.model import Vae
from tailweave.clients.generators.vae.network import autoencoder, decoded, encoded
from tailweave.clients.neural import measure
from tailweave.clients.neural.cost import Size, Speed
from tailweave.clients.neural.device import place_of
from tailweave.clients.neural.extra import neural
from tailweave.clients.samples import Images, Samples, unnamed
from tailweave.protocols.kinds.generators.vae import VaeSpec
from tailweave.protocols.streams import stream


def size_of(spec: VaeSpec, shape: tuple[int, ...]) -> Size:
    """Count parameters and activations without making either.

    Raises:
        ValueError: If ``shape`` is none of an image.
    """
    image = _image(shape)
    network = autoencoder(image, spec.latent, spec.channels, "meta").train()
    images = neural("torch").zeros(spec.batch_size, *image, device="meta")
    return measure.size_of(network, lambda: decoded(network, encoded(network, images)[0], image))


def speeds(spec: VaeSpec, shape: tuple[int, ...]) -> list[Speed]:
    """Measure every device that torch finds here.

    Raises:
        ValueError: If ``shape`` is none of an image.
    """
    image = _image(shape)
    return [_speed(spec.model_copy(update={"device": device}), image) for device in measure.devices()]


def _speed(spec: VaeSpec, image: tuple[int, int, int]) -> Speed:
    rng = stream(0, "measure")
    sort = Images(unnamed(math.prod(image)), shape=image)

    def trained(batch: int, course: Course) -> Vae:
        few = spec.model_copy(update={"batch_size": batch, "first_epochs": measure.SOME_STEPS})
        images = Samples.of(rng.random((batch, math.prod(image))), sort=sort)
        return Vae.fit(few, images, rng=rng, course=course)

    model = trained(1, Course())
    batches = spec.batch_size, spec.sampling_batch
    return measure.speed_of(place_of(spec), trained, lambda count: model.sample(count, rng=rng), batches)


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"generator vae is for images, got samples of shape {list(shape)}")
    return shape
