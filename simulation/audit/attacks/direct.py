# SPDX-License-Identifier: Apache-2.0
"""Attack ``direct``: take what one release says for a row."""

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Summary
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.simulation.audit.attacks.invert import row_of_sketch


def direct(summary: Summary, spec: QuantizedReference | SlicedReference, space: PublicSpace) -> Floats:
    """Guess rows from one release: all centroids, or the one row that would explain the mean sketch.

    A cluster of equal rows, or a sketch of them, gives that very row away.

    Raises:
        ValueError: If the summary is a sketch and ``spec`` is not.
    """
    if isinstance(summary, QuantizedSummary):
        return summary.centroids
    if not isinstance(spec, SlicedReference):
        raise ValueError(f"spec must be of the summary's kind sliced, got {spec.kind}")
    return row_of_sketch(summary.sums / summary.count, spec, space)
