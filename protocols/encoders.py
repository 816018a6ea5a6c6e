# SPDX-License-Identifier: Apache-2.0
"""What may stand in front of a feature map: a frozen public network, and the form in which it travels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.sorts import SortName


class Encoder(Protocol):
    """A frozen public map of images (n, p), or of documents (n,), to codes (n, e)."""

    @property
    def sort(self) -> SortName:
        """``image`` or ``text``: what it encodes."""
        ...

    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Return codes, shape (n, e)."""
        ...

    def alike(self, rows: NDArray[Any]) -> Floats:
        """Return codes, shape (n, e), each computed alike whatever rows stand beside it."""
        ...

    @property
    def columns(self) -> int:
        """p, the number of data columns; a document is one."""
        ...

    def arrays(self) -> dict[str, Floats]:
        """Return what the encoder is, by name, as it crosses the wire.

        ``image`` is the shape of an image; an encoder of documents has none.
        """
        ...


@dataclass(frozen=True, eq=False)
class SealedEncoder:
    """An encoder as it travels: whoever has no rows, such as the server, passes it on and never runs it.

    Of its parts ``image`` (3,) holds channels, height and width; one without is of documents.
    """

    parts: Mapping[str, Floats]

    def __post_init__(self) -> None:
        """Refuse what is no shape of an image."""
        image = self.parts.get("image", np.ones(3))
        if image.shape != (3,) or not (image >= 1).all() or (image > 4096).any():
            raise ValueError("an encoder needs array image: channels, height, width, each in 1..4096")

    @property
    def sort(self) -> SortName:
        """What it encodes."""
        return "image" if "image" in self.parts else "text"

    @property
    def columns(self) -> int:
        """p, the number of data columns."""
        return math.prod(int(side) for side in self.parts.get("image", ()))

    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Refuse: raises ``ValueError``."""
        raise ValueError("this encoder is sealed: only a silo opens it, to encode its own rows")

    def alike(self, rows: NDArray[Any]) -> Floats:
        """Refuse: raises ``ValueError``."""
        return self(rows)

    def arrays(self) -> dict[str, Floats]:
        """Return the parts."""
        return dict(self.parts)
