# SPDX-License-Identifier: Apache-2.0
"""A fitted variational autoencoder: its weights, and the images that it is of."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators import doubles
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.generators.vae.network import ImageShape, autoencoder, decoded, encoded
from tailweave.clients.neural import built, epochs
from tailweave.clients.neural.built import Tensor
from tailweave.clients.neural.device import Place, place_of, torch_stream
from tailweave.clients.neural.epochs import Effort
from tailweave.clients.neural.extra import neural
from tailweave.clients.samples import Images, Samples, Sort, unnamed
from tailweave.protocols.arrays import Floats, part_of, with_prefix
from tailweave.protocols.kinds.generators.vae import VaeSpec

if TYPE_CHECKING:
    import torch
    from torch import Generator
    from torch import Tensor as Batch

_LONGEST_SIDE = 4096
_RIDGE = 1e-4
"""Of the codes' mixture: a code's own spread is about 1."""


@dataclass(frozen=True)
class Vae:
    """An autoencoder of images, with averaged weights.

    Attributes:
        spec: Options of training and drawing.
        sort: What it draws.
        weights: Parameters by torch's names, float32.
        codes: Of what codes are drawn; None is the prior.
    """

    spec: VaeSpec
    sort: Images
    weights: dict[str, Tensor]
    codes: Mixture | None = None

    @classmethod
    def fit(
        cls,
        spec: VaeSpec,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: "Vae | None" = None,
        course: Course = NOTHING_BESIDE,
    ) -> "Vae":
        r"""Train on images by the evidence bound: from nothing at first, then on from the previous model.

        .. math:: L = E_{z \sim q(z|x)} [-\log p(x|z)] + w \, KL(q(z|x) \| N(0, I))

        with pixels as independent Bernoulli means, one draw of z an image and step, and w = ``kl-weight``;
        divided by the number of pixels, which AdamW does not see but a gradient's bound does. With
        ``components`` a Gaussian mixture is fitted to the mean codes of the images afterwards.

        Args:
            spec: Options.
            samples: n >= 1 images with pixels in [0, 1].
            rng: Stream of first weights, order and codes.
            previous: Model of the generation before; with ``warm-start`` training goes on from it, for
                ``epochs`` instead of ``first-epochs``.
            course: Whom to tell, and where to keep an unfinished state.

        Returns:
            The model.

        Raises:
            ValueError: If samples are no images or lie outside [0, 1], they have another shape than the
                previous model's, the loss is not finite, or a package is missing.

        Source:
            Kingma & Welling (2014), Auto-Encoding Variational Bayes, algorithm 1 and eq. 10; refitted on its
            own samples by Shumailov et al. (2024), Nature 631:755-759. A density fitted to the codes
            afterwards: Ghosh et al. (2020), From Variational to Deterministic Autoencoders, section 4.
        """
        sort = _images(samples)
        place, source = place_of(spec), torch_stream(rng)  # drawn whatever the start
        apart = rng.spawn(1)[0]
        goes_on = previous is not None and spec.warm_start
        if previous is not None and goes_on:
            if sort.shape != previous.sort.shape:
                raise ValueError(f"training images must be {previous.sort.shape}, got {sort.shape}")
            network = _network(spec, sort.shape, "meta")
            built.with_weights(network, previous.weights, "cpu")
        else:
            network = built.fresh(lambda: _network(spec, sort.shape, "cpu"), source)
        network.to(place.device)
        effort = Effort(spec.epochs if goes_on else spec.first_epochs, place, course, rng)
        loss = _Bound(network, spec, sort.shape, place)
        epochs.train(network, samples.values, spec, effort, loss)
        model = cls(spec, sort, built.weights_of(network))
        if spec.components is None:
            return model
        codes = Samples.of(model.encode(samples.values))
        count = min(spec.components, len(codes))
        return replace(model, codes=Mixture.fit(codes, components=count, ridge=_RIDGE, rng=apart))

    @cached_property
    def _loaded(self) -> "torch.nn.Module":
        network = _network(self.spec, self.sort.shape, "meta")
        built.with_weights(network, self.weights, place_of(self.spec).device)
        return network

    def encode(self, images: NDArray[Any]) -> Floats:
        """Return the mean codes of images (n, p), shape (n, z)."""
        torch, place, parts = neural("torch"), place_of(self.spec), []
        rows = torch.from_numpy(images.astype(np.float32)).reshape(-1, *self.sort.shape)
        with torch.inference_mode(), place.at_work():
            for part in rows.split(self.spec.sampling_batch):
                parts.append(encoded(self._loaded, place.put(part))[0].cpu().numpy())
        found: Floats = np.concatenate(parts).astype(np.float64)
        return found

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw images: the mean brightness of each pixel, for codes that are drawn; shape (count, p)."""
        torch, place, parts = neural("torch"), place_of(self.spec), []
        if self.codes is None:
            codes = torch.randn(count, self.spec.latent, generator=torch_stream(rng))
        else:
            codes = torch.from_numpy(self.codes.sample(count, rng=rng).values.astype(np.float32))
        with torch.inference_mode(), place.at_work():
            for part in codes.split(self.spec.sampling_batch):
                logits = decoded(self._loaded, place.put(part), self.sort.shape)
                parts.append(logits.sigmoid().flatten(1).cpu().numpy())
        rows: Floats = np.concatenate(parts).astype(np.float64)
        return Samples.of(rows, sort=self.sort)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return shape, weights and parts of the mixture by name, weights in float32."""
        codes = {} if self.codes is None else with_prefix("codes", self.codes.arrays())
        return {"image": np.array(self.sort.shape, dtype=np.float64)} | built.as_arrays(self.weights) | codes

    @classmethod
    def from_arrays(
        cls, spec: VaeSpec, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None
    ) -> "Vae":
        """Rebuild from ``arrays()``.

        Raises:
            ValueError: If a part is missing, or does not fit ``spec`` or ``sort``.
        """
        shape = _shape(arrays)
        named = sort if isinstance(sort, Images) else Images(unnamed(math.prod(shape)), shape=shape)
        if named.shape != shape:
            raise ValueError(f"the autoencoder's images are {shape}, the data's {named.shape}")
        weights = built.from_arrays(_network(spec, shape, "meta"), arrays)
        return cls(spec, named, weights, _codes(spec, arrays))


@dataclass(frozen=True)
class _Bound:
    """What is made small: the negative evidence bound of a batch, a pixel."""

    network: "torch.nn.Module"
    spec: VaeSpec
    image: ImageShape
    place: Place

    def __call__(self, rows: "Batch", source: "Generator") -> "Batch":
        torch = neural("torch")
        noise = self.place.put(torch.randn(len(rows), self.spec.latent, generator=source))
        images = self.place.put(rows).reshape(-1, *self.image)
        mean, log_variance = encoded(self.network, images)
        logits = decoded(self.network, mean + (0.5 * log_variance).exp() * noise, self.image)
        missed = torch.nn.functional.binary_cross_entropy_with_logits(logits, images)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=1).mean()
        loss: Batch = missed + self.spec.kl_weight * divergence / rows.shape[1]
        return loss


def _network(spec: VaeSpec, image: ImageShape, device: str) -> "torch.nn.Module":
    return autoencoder(image, spec.latent, spec.channels, device)


def _codes(spec: VaeSpec, arrays: Mapping[str, NDArray[Any]]) -> Mixture | None:
    parts = part_of(arrays, "codes")
    if bool(parts) != (spec.components is not None):
        has, asked = ("draws" if parts else "does not draw"), spec.components
        raise ValueError(f"the autoencoder {has} its codes from a mixture, components is {asked}")
    codes = Mixture.from_arrays(doubles(parts)) if parts else None
    if codes is not None and codes.means.shape[1] != spec.latent:
        raise ValueError(f"a mixture of codes must have {spec.latent} columns, got {codes.means.shape[1]}")
    return codes


def _images(samples: Samples) -> Images:
    if not isinstance(samples.sort, Images):
        raise ValueError(f"generator vae is for images, got {samples.sort}")
    low, high = samples.values.min(), samples.values.max()
    if low < 0.0 or high > 1.0:
        raise ValueError(f"training pixels must lie in [0, 1], got {low:g} to {high:g}")
    return samples.sort


def _shape(arrays: Mapping[str, NDArray[Any]]) -> ImageShape:
    image = arrays.get("image")
    if image is None:
        raise ValueError("an autoencoder lacks array image")
    if image.shape != (3,) or not all(1 <= side <= _LONGEST_SIDE and side == int(side) for side in image):
        raise ValueError(f"an autoencoder's image must be three whole numbers, got {image.tolist()}")
    return int(image[0]), int(image[1]), int(image[2])
