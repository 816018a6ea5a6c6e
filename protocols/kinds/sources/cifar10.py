# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10, which holds its own test images out."""

import math
from typing import Annotated, Literal

from pydantic import Field

from tailweave.protocols.kinds.sources.base import AnySource, Assumed, FileName, ImageShape

CIFAR_IMAGE: ImageShape = (3, 32, 32)
_ROWS, _TEST_ROWS = 50_000, 10_000


class Cifar10(AnySource):
    """CIFAR-10's own folder cifar-10-batches-py; its test batch is the held-out truth.

    ``rows`` and ``evaluation_rows`` keep a random share of the 50,000 and the 10,000 images (null: all).
    """

    source: Literal["cifar10"]
    path: FileName
    rows: Annotated[int, Field(ge=20)] | None = None
    evaluation_rows: Annotated[int, Field(ge=20)] | None = None

    @property
    def image_shape(self) -> ImageShape:
        """Of every one of them."""
        return CIFAR_IMAGE

    def assumed(self, samples: int) -> Assumed:
        """Count on what is published."""
        return Assumed(math.prod(CIFAR_IMAGE), self.rows or _ROWS, self.evaluation_rows or _TEST_ROWS)
