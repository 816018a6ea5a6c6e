# SPDX-License-Identifier: Apache-2.0
r"""The residual of a sketch: of the sketch's own size, however many were picked.

In the cosine basis, with v = (m + 1) mu - sum_i phi(x_i), mu the sketch, o(x) the offsets, o' that of the
sketch and k = 4 / (pi^2 L),

.. math:: C_m(x) = unit \, [ o(x) - k \, \phi(x) \cdot v + (m + 1) o' - \sum_i o(x_i) ].

Derivation: insert ``protocols.references.cosine`` into C; o(x) stands m + 1 times in h, m times in the sum.

In bins, picks of earlier windows count as the reference's rows do, uniform within their bins. With
r = (m + 1) mu - counts of the picks, whose bins add up to 1 in each direction, C_m is
``histogram.potential`` of r. Distances within a window are those of the positions themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.references import cosine, histogram
from tailweave.protocols.references.pairs import Float32s
from tailweave.protocols.references.processor import HERE, Processor

Positions = Callable[[Floats], Floats]
"""Projects candidates (w, d) to positions (w, L) in [0, 1]."""


class CosineResidual:
    """Of a sketch in the cosine basis."""

    window_length: ClassVar[int] = 512

    def __init__(
        self, sketch: Floats, unit: float, positions: Positions, processor: Processor = HERE
    ) -> None:
        """Begin with nothing picked.

        Args:
            sketch: Mean cosines, shape (L, J).
            unit: Feature distance that one unit of mean position stands for.
            positions: Projects candidates.
            processor: Where basis functions are multiplied.
        """
        self.processor = processor
        self.unit, self.positions, self.coefficients = unit, positions, sketch.shape[1]
        self.factor = 4.0 / (np.pi**2 * len(sketch))  # k
        self.sketch = sketch.T.ravel()  # mu, (J * L,), J outermost as in a window's basis
        self.mean_offset = cosine.mean_offset(sketch)
        self.left = self.sketch.copy()  # v
        self.constant = self.mean_offset

    def window(self, x: Floats, instead_of: tuple[Floats, float] | None = None) -> "_CosineWindow":
        """As ``Residual``."""
        if instead_of is not None:
            self.left -= instead_of[0]
            self.constant -= instead_of[1]
        positions, there = self.positions(x), self.processor
        functions = float32_basis(positions, self.coefficients, there)
        both = np.stack([self.sketch, self.left]).astype(np.float32)
        products = there.fetch(there.send(both) @ functions.T)
        return _CosineWindow(self, functions, cosine.offsets(positions), products)


@dataclass(frozen=True)
class _CosineWindow:
    """Basis functions (w, J * L), offsets (w,), and their products with mu and v as it was, (2, w)."""

    together: ClassVar[int] = 512
    residual: CosineResidual
    functions: Any
    offsets: Floats
    products: Float32s

    @property
    def costs(self) -> Floats:
        whole = self.residual
        found: Floats = whole.unit * (self.offsets + whole.constant - whole.factor * self.products[1])
        return found

    def raises(self, picks: Ints) -> Float32s:
        whole = self.residual
        # A product of a matrix with itself takes half the time.
        every = np.array_equal(picks, np.arange(len(self.functions)))
        some = self.functions if every else self.functions[picks]
        rows: Float32s = whole.processor.fetch(some @ self.functions.T)  # (k, w)
        rows -= self.products[0]
        rows *= np.float32(whole.factor * whole.unit)
        rows += (whole.unit * (whole.mean_offset - self.offsets[picks])).astype(np.float32)[:, None]
        return rows

    def take(self, picks: Ints) -> tuple[Floats, float]:
        whole, there = self.residual, self.residual.processor
        functions = there.fetch(there.xp.sum(self.functions[picks], 0, dtype=there.xp.float64))
        left = len(picks) * whole.sketch - functions
        constant = len(picks) * whole.mean_offset - float(self.offsets[picks].sum())
        whole.left += left
        whole.constant += constant
        return left, constant


class HistogramResidual:
    """Of a sketch in bins."""

    window_length: ClassVar[int] = 512

    def __init__(
        self, sketch: Floats, unit: float, positions: Positions, processor: Processor = HERE
    ) -> None:
        """Begin with nothing picked; as ``CosineResidual``, with bin masses, shape (L, B)."""
        self.unit, self.positions, self.sketch, self.processor = unit, positions, sketch, processor
        self.left = sketch.copy()  # r

    def window(self, x: Floats, instead_of: Floats | None = None) -> "_BinnedWindow":
        """As ``Residual``."""
        if instead_of is not None:
            self.left -= instead_of
        positions = self.positions(x)
        costs = self.unit * histogram.potential(positions, self.left)
        potential = (self.unit * histogram.potential(positions, self.sketch)).astype(np.float32)
        compared = self.processor.send(positions.astype(np.float32))
        return _BinnedWindow(self, positions, costs, potential, compared)


@dataclass(frozen=True)
class _BinnedWindow:
    """Positions (w, L), C and h (w,), and positions once more in the precision in which they are compared."""

    together: ClassVar[int] = 1
    residual: HistogramResidual
    positions: Floats
    costs: Floats
    potential: Float32s
    compared: Any

    def raises(self, picks: Ints) -> Float32s:
        there, rows = self.residual.processor, np.empty((len(picks), len(self.potential)), dtype=np.float32)
        for row, pick in zip(rows, picks, strict=True):
            gaps = self.compared - self.compared[pick]  # (w, L)
            row[:] = there.fetch(there.xp.abs(gaps, out=gaps).mean(1))
        rows *= np.float32(-self.residual.unit)
        rows += self.potential
        return rows

    def take(self, picks: Ints) -> Floats:
        whole = self.residual
        counts = histogram.counts(self.positions[picks], whole.sketch.shape[1])
        left: Floats = len(picks) * whole.sketch - counts
        whole.left += left
        return left


def float32_basis(positions: Floats, coefficients: int, processor: Processor = HERE) -> Any:  # noqa: ANN401 - an array there
    """Evaluate cos(pi j u) / j in float32: positions (w, L) to (w, J * L).

    Error against ``cosine.basis``: see ``test_basis_in_float32``.
    """
    xp, first = processor.xp, processor.send(np.cos((np.pi * positions).astype(np.float32)))
    out = xp.empty((len(first), coefficients, first.shape[1]), dtype=xp.float32)
    step = processor.tile // 4
    for start in range(0, len(first), step):
        part = first[start : start + step]
        twice, before, now = 2.0 * part, xp.ones_like(part), part
        for j in range(1, coefficients + 1):
            xp.multiply(now, 1.0 / j, out=out[start : start + step, j - 1])
            after = twice * now
            after -= before
            before, now = now, after
    return out.reshape(len(first), -1)
