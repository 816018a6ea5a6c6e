# SPDX-License-Identifier: Apache-2.0
"""What may stand in front of a feature map: a frozen public network, and the form in which it travels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tailweave.protocols.arrays import Floats


class Encoder(Protocol):
    """A frozen public network that maps images (n, p) to codes (n, e)."""

    def __call__(self, rows: Floats) -> Floats:
        """Return codes, shape (n, e)."""
        ...

    def alike(self, rows: Floats) -> Floats:
        """Return codes, shape (n, e), each computed alike whatever rows stand beside it."""
        ...

    @property
    def columns(self) -> int:
        """p, the number of data columns."""
        ...

    def arrays(self) -> dict[str, Floats]:
        """Return what the encoder is, by name, as it crosses the wire; ``image`` is the shape of an image."""
        ...


@dataclass(frozen=True, eq=False)
class SealedEncoder:
    """An encoder as it travels: whoever has no rows, such as the server, passes it on and never runs it.

    Of its parts ``image`` (3,) holds channels, height and width.
    """

    parts: Mapping[str, Floats]

    def __post_init__(self) -> None:
        """Refuse parts without the shape of an image."""
        image = self.parts.get("image")
        if image is None or image.shape != (3,) or not (image >= 1).all() or (image > 4096).any():
            raise ValueError("an encoder needs array image: channels, height, width, each in 1..4096")

    @property
    def columns(self) -> int:
        """p, the number of data columns."""
        return math.prod(int(side) for side in self.parts["image"])

    def __call__(self, rows: Floats) -> Floats:
        """Refuse: raises ``ValueError``."""
        raise ValueError("this encoder is sealed: only a silo opens it, to encode its own rows")

    def alike(self, rows: Floats) -> Floats:
        """Refuse: raises ``ValueError``."""
        return self(rows)

    def arrays(self) -> dict[str, Floats]:
        """Return the parts."""
        return dict(self.parts)
