# SPDX-License-Identifier: Apache-2.0
"""Options of the generators ``gaussian`` and ``gaussian-mixture``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.config.starts import StartedSpec
from tailweave.protocols.kinds.rules.base import SURPRISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FLOAT64 = 8
_MATRICES = 5
"""Of p x p numbers a component while a model is refitted: the covariances and factors of the model before,
and what EM holds of the new one (old covariances, new ones, and factors of the precisions)."""
_EM_STEPS = 30
"""Of a usual fit; 100 at most."""


class GaussianSpec(StartedSpec):
    """One Gaussian, fitted by maximum likelihood; ``ridge`` is added to the covariance diagonal."""

    kind: Literal["gaussian"]
    scores: ClassVar = (SURPRISE,)

    def parameters(self, columns: int) -> int:
        """Return the numbers of mean and covariance."""
        return columns + columns * (columns + 1) // 2

    def working_bytes(self, columns: int) -> int:
        """Return what square matrices take."""
        return _MATRICES * _FLOAT64 * columns**2

    def operations(self, columns: int, rows: int) -> tuple[float, float]:
        """Return those of one covariance, and of a product with its factor."""
        return float(rows * columns**2), float(columns**2)


class GaussianMixtureSpec(StartedSpec):
    """A mixture of full-covariance Gaussians, fitted by EM; ``ridge`` is added to each diagonal."""

    kind: Literal["gaussian-mixture"]
    scores: ClassVar = (SURPRISE,)
    components: Annotated[int, Field(ge=1)] = 20

    @property
    def fewest_rows(self) -> tuple[int, str]:
        """As many as components."""
        return self.components, "components"

    def misfit(self, parameters: "Mapping[str, NDArray[Any]]") -> str | None:
        """Say so if the components are not as many."""
        found = parameters["weights"].size if "weights" in parameters else self.components
        return (
            None
            if found == self.components
            else f"has {found} components, generator.components is {self.components}"
        )

    def parameters(self, columns: int) -> int:
        """Return the numbers of all means, covariances and weights."""
        return self.components * (columns + columns * (columns + 1) // 2 + 1) - 1

    def working_bytes(self, columns: int) -> int:
        """Return what the square matrices of all components take."""
        return self.components * _MATRICES * _FLOAT64 * columns**2

    def operations(self, columns: int, rows: int) -> tuple[float, float]:
        """Return those of EM's two products and a factor, by component and step, and of one draw."""
        step = 2 * rows * columns**2 + columns**3
        return float(_EM_STEPS * self.components * step), float(columns**2)

    def smaller(self, columns: int, most: int) -> str:
        """Say how many components fit."""
        fit = most // (_MATRICES * _FLOAT64 * columns**2)
        return f"generator.components of at most {fit}" if fit else ""
