# SPDX-License-Identifier: Apache-2.0
"""Any reference as a cosine sketch: the one form whose running state has a fixed size.

In the cosine basis a distance is a product of basis functions, so the distances to all picks of a stream,
however many, are one product with the sum of their basis functions.
"""

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical, Reference, cosine
from tailweave.protocols.references.sliced import Sliced

DIRECTIONS, COEFFICIENTS = 256, 8
"""Of a reference that does not say: points have neither, histograms have no coefficients."""
_BLOCK = 500
"""Points whose basis functions are held at once (8 MB at 256 directions, 8 coefficients)."""


def cosine_form(reference: Reference, space: PublicSpace) -> Sliced:
    """Return a reference of the same distribution, known through mean cosines on public directions.

    A cosine sketch stays as it is. A histogram is integrated exactly, uniform within its bins. Points are
    projected, each with its mass. Which share of the tail is kept does not depend on the form (see
    ``tests/clients/test_streaming_tails.py``); what points say beyond the sketch is lost.

    Args:
        reference: Sliced, or made of points.
        space: Public space; fixes directions, centre and scale.

    Returns:
        The sketch, shape (L, J) with L and J those of the reference, else ``DIRECTIONS``, ``COEFFICIENTS``.

    Raises:
        ValueError: If the reference is of neither form, or has another dimension than the space.
    """
    if isinstance(reference, Sliced):
        if reference.spec.basis == "cosine":
            return reference
        spec = _spec(reference.spec.directions, reference.spec.range)
        return Sliced(_of_histogram(reference.sketch, spec.coefficients), spec, reference.space)
    if not isinstance(reference, Empirical):
        raise ValueError(f"reference must be sliced or made of points, got {type(reference).__name__}")
    if reference.dimension != space.dimension:
        raise ValueError(f"reference has {reference.dimension} columns, the space {space.dimension}")
    return _of_points(reference, _spec(DIRECTIONS), space)


def _spec(directions: int, half_width: float | None = None) -> SlicedReference:
    spec = SlicedReference(kind="sliced", directions=directions, coefficients=COEFFICIENTS)
    return spec if half_width is None else spec.model_copy(update={"range": half_width})


def _of_points(reference: Empirical, spec: SlicedReference, space: PublicSpace) -> Sliced:
    directions = space.directions(spec.directions)
    sketch = np.zeros((spec.directions, spec.coefficients))
    for start in range(0, len(reference.points), _BLOCK):
        part = slice(start, start + _BLOCK)
        positions = space.project(reference.points[part], directions, spec.range)
        functions = cosine.basis(positions, spec.coefficients)
        sketch += np.einsum("i,ilj->lj", reference.masses[part], functions)
    return Sliced(sketch, spec, space)


def _of_histogram(masses: Floats, coefficients: int) -> Floats:
    """Integrate cos(pi j u) / j over bins: masses (L, B) to shape (L, J)."""
    bins = masses.shape[1]
    j = np.arange(1, coefficients + 1)
    sines = np.sin(np.pi * np.outer(np.arange(bins + 1) / bins, j))  # (B + 1, J)
    sketch: Floats = masses @ (np.diff(sines, axis=0) * bins / (np.pi * j * j))
    return sketch
