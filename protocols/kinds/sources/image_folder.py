# SPDX-License-Identifier: Apache-2.0
"""The user's own images."""

import math
from typing import Literal

from tailweave.protocols.kinds.sources.base import Assumed, FileName, ImageShape, SourceKind

Resize = Literal["refuse", "crop", "stretch"]


class ImageFolder(SourceKind):
    """A folder of image files; the class is the name of the sub-folder, or stands in a CSV (file, label).

    ``image`` is [channels, height, width]. ``resize`` says what happens to another size: ``refuse`` stops the
    run, ``crop`` scales the shorter side and cuts the longer one, ``stretch`` scales both.
    """

    source: Literal["image-folder"]
    path: FileName
    image: ImageShape
    resize: Resize = "refuse"
    labels: FileName | None = None

    @property
    def image_shape(self) -> ImageShape:
        """As given."""
        return self.image

    def assumed(self, samples: int) -> Assumed:
        """Count on as many images as a generation has samples."""
        return Assumed(math.prod(self.image), samples, round(samples * self.evaluation_fraction))
