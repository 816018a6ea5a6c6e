# SPDX-License-Identifier: Apache-2.0
"""The public feature map, as it crosses the wire."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tailweave.protocols.arrays import Floats, matrix, part_of
from tailweave.protocols.encoders import Encoder, SealedEncoder
from tailweave.protocols.public_space import PublicSpace
from tailweave.protocols.row_products import row_products
from tailweave.protocols.texts import documents, packed, unpacked

__all__ = ["FARTHEST", "LARGEST", "MOST_COLUMNS", "FeatureMap", "PublicSpace", "Rows"]

LARGEST = 1e100
"""Bound on data rows, codes and every part of a map; a scale is at least one over it."""
FARTHEST = 1e99
"""Bound on a feature: less than what metrics still take."""
MOST_COLUMNS = 1_000_000


class Rows(Protocol):
    """A client's samples, which may have labels, where an array (n, p) may stand too."""

    def __len__(self) -> int:
        """Return n."""
        ...

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: ANN401 - NumPy's
        """Return the values."""
        ...


@dataclass(frozen=True, eq=False)
class FeatureMap:
    r"""An affine map x -> (x - offset) @ weights, with the centre and scale of public samples behind it.

    All four tabular kinds (identity, standard, pca, random-projection) are of this form. For images an
    encoder may stand in front: x -> (encoder(x) - offset) @ weights; p below then counts its codes.

    Documents (n,) go through an encoder always. With ``classes``, samples come with labels, and codes are
    followed by a column a class, 1 in that of a sample's own and 0 in the others, before the affine map; a
    class that is not among them has 1 in none.

    A server chooses the map and a silo's rows go through it, so whether that fails must not depend on a value
    of a row: the map is defined for every finite row, and nothing that follows can overflow either. Rows and
    codes are clipped to 1e100, codes that are no number count as 0; offset, weights and centre are at most
    1e100, p and d at most 1e6, the scale lies in 1e-100..1e100, features are clipped to 1e99. Then

    =============================================  ======================================================
    a product, (x - offset) @ weights              2e100 * 1e100 * 1e6 = 2e206
    an exact projection, over scale and range      1.1e100 * 1e6 / 1e-100 / 2e-6 = 6e211
    a noised one: at most 1e6 scales from centre   2e6 * 1e6 = 2e12, before any clipping
    squares of exact features, over n rows         4e198 * 1e6 * n, finite for n < 1e100
    squares of noised ones, in units of scale      4e12 * 1e6 = 4e18
    their centroids and variances, in units again  1e100 * 1.5e3, and its square 2e206
    =============================================  ======================================================

    all stay below 1.8e308. Rows and features of ordinary size are not changed by a bit.

    Attributes:
        offset: Shape (p,), data units.
        weights: Shape (p, d), feature units per data unit.
        center: Mean public feature, shape (d,).
        scale: Root mean square of public features about ``center``, per dimension; positive.
        encoder: What stands in front.
        classes: Of the samples' labels, in the order of their columns, which come last.
        levels: Features that are each one column of levels and nothing else; see ``PublicSpace``.
    """

    offset: Floats
    weights: Floats
    center: Floats
    scale: float
    encoder: Encoder | None = None
    classes: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse maps whose parts do not fit together or are beyond the bounds."""
        weights = matrix(self.weights, "feature weights")
        if self.offset.shape != (weights.shape[0],) or self.center.shape != (weights.shape[1],):
            raise ValueError(
                f"feature map parts disagree: offset {self.offset.shape}, weights {weights.shape}, "
                f"center {self.center.shape}"
            )
        if not (np.isfinite(self.offset).all() and np.isfinite(self.center).all()):
            raise ValueError("feature map offset and center must be finite")
        if max(weights.shape) > MOST_COLUMNS:
            raise ValueError(f"feature weights must be at most 1e6 x 1e6, got {weights.shape}")
        for name, part in (("offset", self.offset), ("weights", weights), ("center", self.center)):
            if np.abs(part).max() > LARGEST:
                raise ValueError(
                    f"feature map {name} must be at most {LARGEST:g} in size, got {np.abs(part).max():g}"
                )
        self._check_classes(min(weights.shape))
        self._check_levels(weights.shape[1] - len(self.classes))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"feature map scale must be positive, got {self.scale}")
        if not 1.0 / LARGEST <= self.scale <= LARGEST:
            raise ValueError(
                f"feature map scale must lie in {1 / LARGEST:g}..{LARGEST:g}, got {self.scale:g}"
            )

    def _check_classes(self, columns: int) -> None:
        if len(set(self.classes)) < len(self.classes) or len(self.classes) >= columns:
            raise ValueError(
                f"feature map classes must differ, and be fewer than its {columns} columns, got "
                f"{len(self.classes)}"
            )

    def _check_levels(self, features: int) -> None:
        if sorted({*self.levels}) != list(self.levels) or not all(0 <= at < features for at in self.levels):
            raise ValueError(
                f"feature map levels must be different features in order, of the first {features}, got "
                f"{len(self.levels)} numbers"
            )

    def __call__(self, rows: ArrayLike) -> Floats:
        """Map rows (n, p) to features (n, d); raises ``ValueError`` on another p or a non-finite entry."""
        codes = self._bounded(rows)
        if self.encoder is not None:
            codes = self._codes(self.encoder(codes))
        mapped: Floats = (self._joined(codes, rows) - self.offset) @ self.weights
        return _within(mapped, FARTHEST)

    def alike(self, rows: ArrayLike) -> Floats:
        """Map each row alike whatever stands beside it: what private releases use instead of a call.

        Returns:
            Features, shape (n, d): those of a call up to rounding, but the same bits for the same row, and
            without an encoder on every machine.

        Raises:
            ValueError: On another p or a non-finite entry.
        """
        codes = self._bounded(rows)
        if self.encoder is not None:
            codes = self._codes(self.encoder.alike(codes))
        return _within(row_products(self._joined(codes, rows) - self.offset, self.weights), FARTHEST)

    def _bounded(self, rows: ArrayLike) -> NDArray[Any]:
        if self.encoder is not None and self.encoder.sort == "text":
            return documents(rows)
        return _within(matrix(rows, "rows", columns=self.columns), LARGEST)

    def _codes(self, codes: Floats) -> Floats:
        """Bound what an encoder made; one with absurd weights makes what is no number."""
        columns = len(self.offset) - len(self.classes)
        if codes.ndim != 2 or codes.shape[1] != columns:
            raise ValueError(f"codes must have {columns} columns, got shape {codes.shape}")
        return _within(np.where(np.isnan(codes), 0.0, codes), LARGEST)

    def _joined(self, codes: Floats, rows: object) -> Floats:
        if not self.classes:
            return codes
        labels = getattr(rows, "labels", None)
        if labels is None:
            raise ValueError("a feature map with classes needs samples with labels, got none")
        return np.hstack([codes, np.asarray(labels)[:, None] == np.array(self.classes)])

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
        if self.encoder is not None:
            return self.encoder.columns
        return int(self.weights.shape[0]) - len(self.classes)

    @property
    def dimension(self) -> int:
        """d, the number of feature columns."""
        return int(self.weights.shape[1])

    def space(self, seed: int) -> PublicSpace:
        """Return the public feature space with directions drawn from ``seed``."""
        marked = np.diagonal(self.weights[len(self.offset) - len(self.classes) :, -len(self.classes) :])
        classes = tuple(marked.tolist()) if self.classes else ()
        return PublicSpace(self.center, self.scale, seed, classes, self.levels)

    def arrays(self) -> dict[str, Floats]:
        """Return the parts by name, as they cross the wire."""
        encoder = {} if self.encoder is None else self.encoder.arrays()
        classes = {"classes": packed(self.classes)} if self.classes else {}
        levels = {"levels": np.array(self.levels, dtype=np.float64)} if self.levels else {}
        return {
            "offset": self.offset,
            "weights": self.weights,
            "center": self.center,
            "scale": np.array([self.scale]),
            **classes,
            **levels,
            **{f"encoder/{name}": part for name, part in encoder.items()},
        }

    @classmethod
    def of(cls, space: PublicSpace) -> "FeatureMap":
        """Return the map that leaves features of a space as they are, for whoever has features for rows."""
        flat = np.zeros(space.dimension), np.eye(space.dimension)
        return cls(*flat, space.center, space.scale, levels=space.levels)

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, Floats],
        open_encoder: Callable[[Mapping[str, Floats]], Encoder] = SealedEncoder,
    ) -> "FeatureMap":
        """Rebuild a map from ``arrays()``.

        ``open_encoder`` makes the encoder, if there is one; by default it stays sealed.

        Raises:
            ValueError: If a part is missing, not one-dimensional where it must be, or does not fit.
        """
        missing = [name for name in ("offset", "weights", "center", "scale") if name not in arrays]
        if missing:
            raise ValueError(f"feature map lacks {', '.join(missing)}")
        if arrays["scale"].shape != (1,):
            raise ValueError(f"feature map scale must have shape (1,), got {arrays['scale'].shape}")
        parts = part_of(arrays, "encoder")
        encoder = open_encoder(parts) if parts else None
        classes = tuple(unpacked(arrays["classes"])) if "classes" in arrays else ()
        levels = _places(arrays["levels"]) if "levels" in arrays else ()
        map_of = arrays["offset"], arrays["weights"], arrays["center"], float(arrays["scale"][0])
        return cls(*map_of, encoder, classes, levels)


def _places(levels: Floats) -> tuple[int, ...]:
    if levels.ndim != 1 or (levels != np.rint(levels)).any() or (np.abs(levels) > MOST_COLUMNS).any():
        raise ValueError(f"feature map levels must be whole numbers, shape (k,), got shape {levels.shape}")
    return tuple(levels.astype(np.int64).tolist())


def _within(values: Floats, bound: float) -> Floats:
    inside: Floats = np.clip(values, -bound, bound)
    return inside
