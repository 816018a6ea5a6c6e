# SPDX-License-Identifier: Apache-2.0
"""Attack ``two rounds``: interpolating measures (Scheme I, FedWaD) give every row, even with an unknown t."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from tailweave.protocols.arrays import Floats
from tailweave.protocols.pot import ot
from tailweave.protocols.transport.projection import project, towards


def interpolation(support: Floats, rows: Floats, t: float, *, rng: np.random.Generator) -> Floats:
    """Return what a silo of those protocols sends: (1 - t) X + t T(X), shuffled.

    Args:
        support: The server's points X, shape (s, d).
        rows: The silo's rows, shape (n, d).
        t: Position along the geodesic, above 0, at most 1.
        rng: Stream of the shuffle.

    Returns:
        Shape (s, d), feature units.

    Raises:
        ValueError: If t is out of range, or points do not fit each other.
        ArithmeticError: If the transport problem is not solved.

    Source:
        FedWaD (arXiv 2310.01973), approximate interpolation.
    """
    return rng.permutation(towards(support, project(support, rows).image, t))


def unknown_t(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> tuple[float, float]:
    r"""Find both t from the means of two rounds: (z1 - a1)/t1 + a1 = (z2 - a2)/t2 + a2.

    Args:
        first: Support and reply of one round, each (s, d).
        second: Support and reply of another round; its support must have another mean.

    Returns:
        t of both rounds. The equation is linear in (1/t1, 1/t2); d >= 2 equations determine them.

    Source:
        Derived here: both sides are the mean of the silo's rows.
    """
    (a1, z1), (a2, z2) = ((x.mean(axis=0), z.mean(axis=0)) for x, z in (first, second))
    inverse = np.linalg.lstsq(np.stack([z1 - a1, a2 - z2], axis=1), a2 - a1, rcond=None)[0]
    return float(1.0 / inverse[0]), float(1.0 / inverse[1])


def rows_from_interpolation(support: Floats, sent: Floats, t: float) -> Floats:
    """Undo an interpolation with known t: pair X and Z again, then (Z - (1 - t) X) / t.

    Args:
        support: X, shape (s, d).
        sent: Z, shape (s, d), in any order.
        t: Position along the geodesic.

    Returns:
        Guesses, shape (s, d), feature units. The pairing is the optimal one, unique for t < 1.
    """
    at, partner = linear_sum_assignment(ot.dist(support, sent))
    guesses: Floats = (sent[partner] - (1.0 - t) * support[at]) / t
    return guesses
