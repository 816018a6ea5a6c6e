# SPDX-License-Identifier: Apache-2.0
"""What every public feature map says of itself."""

from typing import Annotated, ClassVar

from pydantic import Field

from tailweave.protocols.config.base import Spec
from tailweave.protocols.sorts import ROWS, SortName

Dimensions = Annotated[int, Field(ge=1)]


class FeaturesKind(Spec):
    """A public affine map into the space in which samples are compared, fitted on public samples alone.

    ``implemented_in`` names the file in ``clients/features`` that fits it, if it is not the map's own name.
    ``takes`` names the sorts of sample that it maps. ``scales_columns`` says that each column is brought to
    one spread, so that one that does not vary in the public rows must be left out.

    With ``label_weight`` the class of a sample is compared too: a column a class beside the features, in
    which the sample's own class has the weight, in units of the features' root mean square.
    """

    kind: str
    label_weight: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    implemented_in: ClassVar[str | None] = None
    takes: ClassVar[tuple[SortName, ...]] = ROWS
    scales_columns: ClassVar[bool] = False

    @property
    def reduces_to(self) -> int | None:
        """d, where that is not the number of columns."""
        return None

    @property
    def encoder(self) -> str | None:
        """Name of the network that images go through first."""
        return None
