# SPDX-License-Identifier: Apache-2.0
"""What no honest summary can exceed, whatever the silo's data: counts, norms and sums.

All constants are public. They stop what is absurd; what is merely odd is for ``suspects``.
"""

from collections.abc import Iterator

import numpy as np

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implemented, implements
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import rows_bucket
from tailweave.protocols.references import Summary
from tailweave.protocols.references.quantized import QuantizedSummary
from tailweave.protocols.references.sliced import SlicedSummary

COUNT_MARGIN = 1.5
"""Rows claimed over the end of the bucket that the silo named in ``hello``: noise moves a count by less."""
RADIUS = 3.0
"""Largest root mean square of a cluster's rows about the public centre, in units of sqrt(d) * scale.

Twice the radius to which rows are clipped under differential privacy. Without it nothing is clipped, and
modes that the public samples lack lie further out than those samples: honest clusters reach 1.5.
"""
NOISE_MARGIN = 8.0
"""Standard deviations by which noise may carry an entry over its bound: 1e-15 for each entry."""
_ROUNDING = 1e-9


def bucket_end(rows_at_least: int) -> int:
    """Return the first row count that ``rows_bucket`` puts into the next bucket: 5 for 2, 10 for 5.

    Raises:
        ValueError: If ``rows_at_least`` is no bucket.
    """
    if rows_bucket(rows_at_least) != rows_at_least:
        raise ValueError(f"rows_at_least must be 0 or 1, 2 or 5 times a power of ten, got {rows_at_least}")
    leading, zeros = int(str(rows_at_least)[0]), len(str(rows_at_least)) - 1
    return {0: 1, 1: 2, 2: 5, 5: 10}[leading] * int(10**zeros)


def breaches(
    summary: Summary,
    spec: SummarisedReference,
    space: PublicSpace,
    *,
    rows_at_least: int | None = None,
    noise: float = 0.0,
) -> list[str]:
    """Name every public bound that a summary breaks.

    Args:
        summary: What one silo released.
        spec: The reference that it is for; of a kind with no bounds of its own only the count is held.
        space: Public centre and scale.
        rows_at_least: The bucket that the silo named in ``hello``; None leaves its count unbounded.
        noise: Standard deviation of the noise on every entry of a sketch's sums; 0 for exact sums.

    Returns:
        One sentence a breach, none for a summary within all bounds.

    Raises:
        ValueError: If ``rows_at_least`` is no bucket.
    """
    found = [] if rows_at_least is None else list(_count(summary.count, rows_at_least))
    own = implemented(spec, spec.kind, __name__, part="bounds")
    return found + list(own(summary, spec, space, noise) if own else ())


def _count(rows: float, rows_at_least: int) -> Iterator[str]:
    most = COUNT_MARGIN * bucket_end(rows_at_least)
    if rows > most:
        yield f"claims {rows:.6g} rows, said at least {rows_at_least} in hello: at most {most:.6g} pass"


@implements(QuantizedReference, part="bounds")
def _radius(
    summary: QuantizedSummary, spec: QuantizedReference, space: PublicSpace, noise: float
) -> Iterator[str]:
    spread_sq = ((summary.centroids - space.center) ** 2).sum(axis=1) + summary.variances.sum(axis=1)  # (k,)
    farthest = float(np.sqrt(spread_sq.max() / space.dimension)) / space.scale
    if farthest > RADIUS * (1.0 + _ROUNDING):
        yield f"a cluster lies {farthest:.3g} public radii from the centre: at most {RADIUS:g} pass"


@implements(SlicedReference, part="bounds")
def _sketch(summary: SlicedSummary, spec: SlicedReference, space: PublicSpace, noise: float) -> Iterator[str]:
    return _cosine(summary, noise) if spec.basis == "cosine" else _histogram(summary, noise)


def _cosine(summary: SlicedSummary, noise: float) -> Iterator[str]:
    bound = summary.count / np.arange(1, summary.sums.shape[1] + 1)  # (J,)
    over = np.abs(summary.sums) > bound * (1.0 + _ROUNDING) + NOISE_MARGIN * noise
    if over.any():
        yield f"{int(over.sum())} sums of cos(pi j u) / j exceed count / j in size"


def _histogram(summary: SlicedSummary, noise: float) -> Iterator[str]:
    slack = summary.count * _ROUNDING + NOISE_MARGIN * noise
    if (summary.sums < -slack).any():
        yield f"{int((summary.sums < -slack).sum())} bins hold a negative count"
    totals = summary.sums.sum(axis=1)  # (L,)
    wrong = np.abs(totals - summary.count) > slack * np.sqrt(summary.sums.shape[1])
    if wrong.any():
        yield f"the bins of {int(wrong.sum())} directions do not add up to the count {summary.count:.6g}"
