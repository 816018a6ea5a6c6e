# SPDX-License-Identifier: Apache-2.0
r"""What herding keeps of its picks, so that candidates can come in parts: the cost of the next pick.

After m picks, herding picks the candidate of least cost

.. math:: C_m(x) = (m + 1) h(x) - \sum_{i \le m} \|x - x_i\|, \qquad C_{m+1} - C_m = h - \|\cdot - x_{m+1}\|,

which is m + 1 times what ``clients.selection.herding`` minimises. A residual knows C at any candidate, in
memory that does not depend on how many candidates there were.
"""

from typing import Any, ClassVar, Protocol, runtime_checkable

from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.references.pairs import Float32s
from tailweave.protocols.references.processor import HERE, Processor

Taken = Any
"""What a window took, in the residual's own form."""


class Window(Protocol):
    """Some candidates, compared with all picks that were made before they came.

    Attributes:
        together: Rows of ``raises`` that are best asked for together, as one product.
    """

    together: ClassVar[int]

    @property
    def costs(self) -> Floats:
        """C at each of w candidates, shape (w,), feature units."""
        ...

    def raises(self, picks: Ints) -> Float32s:
        """Return by how much each of k picks raises every candidate's cost: shape (k, w), feature units."""
        ...

    def take(self, picks: Ints) -> Taken:
        """Count these in as picked, for the windows that follow."""
        ...


class Residual(Protocol):
    """All picks so far.

    Attributes:
        window_length: Candidates of a window where nobody says how many.
    """

    window_length: ClassVar[int]

    def window(self, x: Floats, instead_of: Taken | None = None) -> Window:
        """Return candidates, features (w, d), as they stand now.

        ``instead_of`` is what an earlier window of the same candidates took; that is taken back.
        """
        ...


@runtime_checkable
class Running(Protocol):
    """A reference that can be herded against in parts."""

    def residual(self, processor: Processor = HERE) -> Residual:
        """Return a residual of no picks, computed there."""
        ...
