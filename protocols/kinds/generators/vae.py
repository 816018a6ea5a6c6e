# SPDX-License-Identifier: Apache-2.0
"""Options of the generator ``vae``."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.generators.trained import Positive, Rate, Trained

Width = Annotated[int, Field(ge=1, le=4096)]


class VaeSpec(Trained):
    """A small convolutional variational autoencoder of images; each refit goes on from the one before.

    ``latent`` numbers describe an image; ``channels`` has one entry a resolution, each half of the one
    before; ``kl_weight`` weighs how near codes are held to the prior N(0, I) (1: the evidence bound itself).
    With ``components`` codes are drawn from a mixture of so many Gaussians that is fitted to those of the
    training images, else from the prior, in which there are holes: codes of no image. Pixels lie in [0, 1].
    """

    kind: Literal["vae"]
    takes: ClassVar = ("image",)
    latent: Width = 16
    channels: Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)] = (16, 32)
    kl_weight: Rate = 1.0
    components: Annotated[int, Field(ge=1, le=1000)] | None = None
    sampling_batch: Positive = 256
    first_epochs: Positive = 60
    epochs: Positive = 10

    @property
    def in_steps(self) -> str:
        """Rows of a step, and what drawing costs."""
        return f"{self.batch_size} rows a step, one network call a row drawn"
