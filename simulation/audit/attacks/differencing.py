# SPDX-License-Identifier: Apache-2.0
"""Attack ``differencing``: subtract two releases of one silo, before and after a row arrived."""

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Summary
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import SlicedSummary
from tailweave.simulation.audit.attacks.invert import row_of_sketch


def added_row(
    before: Summary, after: Summary, spec: QuantizedReference | SlicedReference, space: PublicSpace
) -> Floats:
    r"""Guess the row that ``after`` holds and ``before`` does not.

    .. math:: y = \sum_j n'_j c'_j - \sum_j n_j c_j

    whatever the clusters and their smallest size; of two sketches the difference is the sketch of the row.

    Returns:
        Shape (1, d), feature units; exact without noise (histograms: within half a bin a direction).

    Raises:
        ValueError: If the two are of different kinds or shapes.
    """
    if isinstance(before, QuantizedSummary) and isinstance(after, QuantizedSummary):
        return (after.counts @ after.centroids - before.counts @ before.centroids)[None, :]
    if (
        isinstance(before, SlicedSummary)
        and isinstance(after, SlicedSummary)
        and isinstance(spec, SlicedReference)
        and before.sums.shape == after.sums.shape
    ):
        return row_of_sketch(after.sums - before.sums, spec, space)
    raise ValueError(
        f"before and after must be {spec.kind} summaries of one shape, got {type(before).__name__}, "
        f"{type(after).__name__}"
    )
