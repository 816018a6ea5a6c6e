# SPDX-License-Identifier: Apache-2.0
"""Images in MNIST's own file format, whose authors hold their test images out."""

import math
from typing import Annotated, Literal

from pydantic import Field

from tailweave.protocols.kinds.sources.base import AnySource, Assumed, FileName, ImageShape, Side

MNIST_IMAGE: tuple[Literal[1], int, int] = (1, 28, 28)
_ROWS, _TEST_ROWS = 60_000, 10_000


class Idx(AnySource):
    """A folder in MNIST's file format (Fashion-MNIST, KMNIST, EMNIST); test images are the held-out truth.

    The four files have their authors' names, such as train-images-idx3-ubyte, plain or .gz; ``prefix`` is
    what stands before them, such as emnist-letters-. ``image`` is [1, height, width]. ``rows`` and
    ``evaluation_rows`` keep a random share of both parts (null: all).
    """

    source: Literal["idx"]
    path: FileName
    prefix: Annotated[str, Field(max_length=100, pattern=r"^[^/\\\x00]*$")] = ""
    image: tuple[Literal[1], Side, Side] = MNIST_IMAGE
    rows: Annotated[int, Field(ge=20)] | None = None
    evaluation_rows: Annotated[int, Field(ge=20)] | None = None

    @property
    def image_shape(self) -> ImageShape:
        """As given."""
        return self.image

    def assumed(self, samples: int) -> Assumed:
        """Count on what MNIST and most of its kin have."""
        return Assumed(math.prod(self.image), self.rows or _ROWS, self.evaluation_rows or _TEST_ROWS)
