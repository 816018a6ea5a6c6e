# SPDX-License-Identifier: Apache-2.0
"""A map of images through a network."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.features.base import Dimensions, FeaturesKind

SMALL_CONV = "small-conv"
"""Names the encoder that is trained on public samples; any other name is a pretrained model's."""


class EncoderFeatures(FeaturesKind):
    """Images: a frozen public network, then principal axes of public samples.

    ``model`` is ``small-conv``, a small network trained on public synthetic samples, or the folder or hub
    name of a vision model for the ``transformers`` library, such as facebook/dinov2-small.
    """

    kind: Literal["encoder"]
    takes: ClassVar = ("image",)
    dimensions: Dimensions
    model: Annotated[str, Field(min_length=1, max_length=300)]

    @property
    def reduces_to(self) -> int:
        """As given."""
        return self.dimensions

    @property
    def encoder(self) -> str:
        """As given."""
        return self.model
