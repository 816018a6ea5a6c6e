# SPDX-License-Identifier: Apache-2.0
"""Attack ``inverse map``: barycentric projections (arXiv 2606.13732, Scheme II) are the rows themselves.

Cost is |x - y|^2, so the optimal map is T(x) = x - displacement(x).
"""

import numpy as np
import ot

from protocols.arrays import Floats, matrix


def barycentric_projection(support: Floats, rows: Floats) -> Floats:
    r"""Return what a silo of that protocol sends: T_i = sum_j P_ij y_j / a_i, P the optimal plan.

    Args:
        support: The server's points, shape (s, d), equal masses.
        rows: The silo's rows, shape (n, d), equal masses.

    Returns:
        Shape (s, d), feature units.

    Raises:
        ValueError: If the two have different columns or are not finite.

    Privacy:
        None: with s a multiple of n every support point is matched to one row.
    """
    support = matrix(support, "support")
    rows = matrix(rows, "rows", columns=support.shape[1])
    masses, weights = np.full(len(support), 1.0 / len(support)), np.full(len(rows), 1.0 / len(rows))
    plan = np.asarray(ot.emd(masses, weights, ot.dist(support, rows), numItermax=2_000_000))
    projected: Floats = (plan @ rows) / masses[:, None]
    return projected


def rows_from_displacement(support: Floats, displacement: Floats) -> Floats:
    """Undo the map: support (s, d) minus displacement x - T(x), shape (s, d), is T(x), shape (s, d).

    Source:
        privacy-notes section 1 (a); 100 % of the rows with s = n.
    """
    return support - displacement
