# SPDX-License-Identifier: Apache-2.0
"""Options of the generators ``gaussian`` and ``gaussian-mixture``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.config.starts import StartedSpec
from tailweave.protocols.kinds.rules.base import SURPRISE

if TYPE_CHECKING:
    from numpy.typing import NDArray


class GaussianSpec(StartedSpec):
    """One Gaussian, fitted by maximum likelihood; ``ridge`` is added to the covariance diagonal."""

    kind: Literal["gaussian"]
    scores: ClassVar = (SURPRISE,)

    def parameters(self, columns: int) -> int:
        """Return the numbers of mean and covariance."""
        return columns + columns * (columns + 1) // 2


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
