# SPDX-License-Identifier: Apache-2.0
"""Transport protocols where the right answer is known."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.studies.base import Seeds, Some, StudyKind

Points = Annotated[int, Field(ge=2, le=2000)]


class TransportSpec(StudyKind):
    """Transport protocols on 2-D Gaussians: FedWaD's distance, Scheme II's barycenter and its toy."""

    study: Literal["transport"]
    title: ClassVar = "Transport protocols, published against reproduced"
    leaks: ClassVar = (
        "Both protocols reveal projections of real rows: with as many atoms as rows, the rows themselves."
    )
    seeds: Seeds = (0, 1, 2)
    samples: Points = 100
    rounds: Annotated[int, Field(ge=1)] = 20
    barycenter_samples: Annotated[tuple[Points, ...], Some] = (50, 100, 200, 400, 800)
