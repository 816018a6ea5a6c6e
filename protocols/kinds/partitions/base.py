# SPDX-License-Identifier: Apache-2.0
"""What every partition says of itself."""

from typing import ClassVar

from tailweave.protocols.config.base import Spec
from tailweave.protocols.kinds.sources.base import AnySource
from tailweave.protocols.sorts import SORTS, SortName


class PartitionKind(Spec):
    """How rows are cut into silos; ``takes`` are sorts of sample, ``remedy`` helps where one gets no row.

    ``implemented_in`` names the file in ``clients/data`` that cuts, if it is not the partition's own name.
    ``drawn`` says that another draw may give a silo more rows.
    """

    kind: str
    implemented_in: ClassVar[str | None] = None
    takes: ClassVar[tuple[SortName, ...]] = SORTS
    drawn: ClassVar[bool] = False
    remedy: ClassVar[str] = "use fewer silos or more rows"

    def misfit(self, data: AnySource) -> str | None:
        """Say why rows of such a source cannot be cut so; None if they can, as far as the source says."""
        return None
