# SPDX-License-Identifier: Apache-2.0
"""The public feature map, as it crosses the wire, and the public space that it leads into."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from protocols.arrays import Floats, matrix
from protocols.streams import stream

_ENCODER = "encoder/"


@dataclass(frozen=True)
class PublicSpace:
    """A feature space with the public constants that all silos share; nothing here depends on private rows.

    Attributes:
        center: Mean of public samples, shape (d,), feature units.
        scale: Root mean square of public samples about ``center``, per dimension, feature units, positive.
        seed: Root seed of the directions.
    """

    center: Floats
    scale: float
    seed: int

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return int(self.center.size)

    def directions(self, count: int) -> Floats:
        """Return public unit vectors, uniform on the sphere.

        Args:
            count: L, how many.

        Returns:
            Unit vectors, shape (L, d); both ends of the wire derive the same ones from ``seed``.
        """
        draws = stream(self.seed, "directions", count, self.dimension).standard_normal(
            (count, self.dimension)
        )
        unit: Floats = draws / np.linalg.norm(draws, axis=1, keepdims=True)
        return unit

    def project(self, points: Floats, directions: Floats, half_width: float) -> Floats:
        """Project points and scale the interval [-half_width, half_width] of public units to [0, 1].

        Args:
            points: Shape (n, d), feature units.
            directions: Unit vectors, shape (L, d).
            half_width: In units of ``scale``.

        Returns:
            Positions clipped to [0, 1], shape (n, L); 1 corresponds to 2 * half_width * scale.
        """
        spread = (points - self.center) @ directions.T / self.scale  # (n, L)
        unit: Floats = np.clip((spread + half_width) / (2.0 * half_width), 0.0, 1.0)
        return unit


class Encoder(Protocol):
    """A frozen public network that maps images (n, p) to codes (n, e)."""

    def __call__(self, rows: Floats) -> Floats:
        """Return codes, shape (n, e)."""
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

    Attributes:
        parts: Arrays by name; ``image`` (3,) holds channels, height and width.
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

    def arrays(self) -> dict[str, Floats]:
        """Return the parts."""
        return dict(self.parts)


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """An affine map x -> (x - offset) @ weights, with the centre and scale of public samples behind it.

    All four tabular kinds (identity, standard, pca, random-projection) are of this form. For images an
    encoder may stand in front: x -> (encoder(x) - offset) @ weights; p below then counts its codes.

    Attributes:
        offset: Shape (p,), data units.
        weights: Shape (p, d), feature units per data unit.
        center: Mean public feature, shape (d,).
        scale: Root mean square of public features about ``center``, per dimension; positive.
    """

    offset: Floats
    weights: Floats
    center: Floats
    scale: float
    encoder: Encoder | None = None

    def __post_init__(self) -> None:
        """Refuse maps whose parts do not fit together."""
        weights = matrix(self.weights, "feature weights")
        if self.offset.shape != (weights.shape[0],) or self.center.shape != (weights.shape[1],):
            raise ValueError(
                f"feature map parts disagree: offset {self.offset.shape}, weights {weights.shape}, "
                f"center {self.center.shape}"
            )
        if not (np.isfinite(self.offset).all() and np.isfinite(self.center).all()):
            raise ValueError("feature map offset and center must be finite")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"feature map scale must be positive, got {self.scale}")

    def __call__(self, rows: ArrayLike) -> Floats:
        """Map rows (n, p) to features (n, d); raises ``ValueError`` on another p or a non-finite entry."""
        codes = matrix(rows, "rows", columns=self.columns)
        if self.encoder is not None:
            codes = matrix(self.encoder(codes), "codes", columns=len(self.offset))
        mapped: Floats = (codes - self.offset) @ self.weights
        return mapped

    def __eq__(self, other: object) -> bool:
        """Two maps are equal when their bytes are."""
        return isinstance(other, FeatureMap) and self._digest == other._digest

    def __hash__(self) -> int:
        """Hash of the bytes, so that work that depends on the map can be cached."""
        return hash(self._digest)

    @cached_property
    def _digest(self) -> bytes:
        return hashlib.sha256(b"|".join(a.tobytes() for a in self.arrays().values())).digest()

    @property
    def columns(self) -> int:
        """The number of data columns."""
        return int(self.weights.shape[0]) if self.encoder is None else self.encoder.columns

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return int(self.weights.shape[1])

    def space(self, seed: int) -> PublicSpace:
        """Return the public feature space with directions drawn from ``seed``."""
        return PublicSpace(self.center, self.scale, seed)

    def arrays(self) -> dict[str, Floats]:
        """Return the parts by name, as they cross the wire."""
        encoder = {} if self.encoder is None else self.encoder.arrays()
        return {
            "offset": self.offset,
            "weights": self.weights,
            "center": self.center,
            "scale": np.array([self.scale]),
            **{f"{_ENCODER}{name}": part for name, part in encoder.items()},
        }

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Floats],
        open_encoder: Callable[[Mapping[str, Floats]], Encoder] = SealedEncoder,
    ) -> "FeatureMap":
        """Rebuild a map from ``arrays()``.

        Args:
            arrays: Parts by name.
            open_encoder: Makes the encoder, if there is one; by default it stays sealed.

        Raises:
            ValueError: If a part is missing, not one-dimensional where it must be, or does not fit.
        """
        missing = [name for name in ("offset", "weights", "center", "scale") if name not in arrays]
        if missing:
            raise ValueError(f"feature map lacks {', '.join(missing)}")
        if arrays["scale"].shape != (1,):
            raise ValueError(f"feature map scale must have shape (1,), got {arrays['scale'].shape}")
        parts = {name.removeprefix(_ENCODER): a for name, a in arrays.items() if name.startswith(_ENCODER)}
        encoder = open_encoder(parts) if parts else None
        return cls(arrays["offset"], arrays["weights"], arrays["center"], float(arrays["scale"][0]), encoder)
