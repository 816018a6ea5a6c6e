# SPDX-License-Identifier: Apache-2.0
"""The truth of a simulation: every row that a data spec stands for."""

from typing import Protocol

from tailweave.clients.samples import Samples
from tailweave.protocols.kinds.implementing import implementation
from tailweave.protocols.kinds.sources.base import AnySource


class Source(Protocol):
    """What implements a source."""

    def __call__(self, spec: AnySource, *, seed: int) -> Samples | tuple[Samples, Samples]:
        """Return all rows; or two, where the data's own authors hold some out: the others, and those."""
        ...


def load_rows(spec: AnySource, *, seed: int) -> tuple[Samples, Samples | None]:
    """Load all rows, scaled as the spec says.

    Args:
        spec: Where the rows come from.
        seed: Root seed of the run, for sources that draw.

    Returns:
        The rows: ``digits`` and images in [0, 1]; ``breast-cancer``, ``wine`` and standardized tables with
        zero mean and unit variance over all rows; ``gaussian-modes`` in within-mode standard deviations;
        documents as rows of length 1. Then those that the data's own authors hold out, scaled alike.

    Raises:
        DataError: If a table cannot be read or a spec asks for the impossible.
    """
    source: Source = implementation(spec, spec.source, __package__)
    found = source(spec, seed=seed)
    return found if isinstance(found, tuple) else (found, None)
