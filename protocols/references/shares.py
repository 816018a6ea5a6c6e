# SPDX-License-Identifier: Apache-2.0
r"""How often each class is, read from a reference in a space that has a column a class.

A point has w in the column of its own class and 0 in the others, so the mean of a column is w times the share
of its class. A sketch has no columns but projections, and on the axis of a class all rows stand at one of two
places, u for those of the class and v for the others:

.. math:: s_j = p\,b_j(u) + (1 - p)\,b_j(v), \qquad
          \hat p = \frac{\sum_j (s_j - b_j(v)) (b_j(u) - b_j(v))}{\sum_j (b_j(u) - b_j(v))^2},

least squares over the J basis functions, which all have the same noise. It is read after the noise, from what
was released anyway, and so costs no privacy.
"""

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.references import Empirical, Reference, cosine, histogram
from tailweave.protocols.references.sliced import Sliced

RAREST = 0.1
"""Least share of a class over 1 / C: noise may take a share below zero, and nothing may divide by it."""


def class_shares(reference: Reference, space: PublicSpace) -> Floats:
    """Return the share of each class in a reference.

    Args:
        reference: With points, or a sketch.
        space: The space that it is in, with C columns of classes.

    Returns:
        Shape (C,), at least a tenth of 1 / C before they are scaled to sum to 1.

    Raises:
        ValueError: If the space has no classes, or the reference is known neither by points nor by a sketch.
    """
    classes = len(space.marked)
    if not classes:
        raise ValueError("shares of classes need features with label-weight, got a map without classes")
    if isinstance(reference, Empirical):
        found = reference.masses @ reference.points[:, -classes:] / np.array(space.marked)
    elif isinstance(reference, Sliced):
        found = _of_sketch(reference, classes)
    else:
        raise ValueError(
            f"shares of classes are read from a reference with points or from a sketch, got "
            f"{type(reference).__name__}"
        )
    kept = np.maximum(found, RAREST / classes)
    shares: Floats = kept / kept.sum()
    return shares


def _of_sketch(reference: Sliced, classes: int) -> Floats:
    spec, space = reference.spec, reference.space
    points = np.zeros((2, classes, space.dimension))
    points[0, :, -classes:] = np.diag(space.marked)
    axes = space.directions(spec.directions)[-classes:]
    here, elsewhere = (
        np.diagonal(space.project(some, axes, spec.range))[None, :] for some in points
    )  # places on each axis of a sample of its class, and of the others: (1, C)
    if spec.basis == "histogram":
        at, other = (histogram.counts(place, spec.bins) for place in (here, elsewhere))
    else:
        at, other = (cosine.basis(place, spec.coefficients)[0] for place in (here, elsewhere))
    step = at - other  # (C, J)
    found: Floats = ((reference.sketch[-classes:] - other) * step).sum(axis=1) / (step**2).sum(axis=1)
    return found
