# SPDX-License-Identifier: Apache-2.0
"""One round of FedWaD: a support that moves onto a geodesic between two measures. Cost is |x - y|^2."""

from tailweave.protocols.arrays import Floats
from tailweave.protocols.transport.projection import project, towards


def between(
    support: Floats, left: Floats, near_right: Floats, t: float, *, entropic_reg: float | None = None
) -> Floats:
    r"""Do the server's part of a round: go from the support's interpolation with ``left`` to the silo's.

    .. math:: \xi_l = (1-t) \xi + t T_{\xi \to left}(\xi), \quad \xi_r \text{ alike, from the silo}, \quad
              \xi \leftarrow (1-t) \xi_l + t T_{\xi_l \to \xi_r}(\xi_l)

    A support at share p of the geodesic goes to p (1 - t) + t^2: begun at ``left`` it is at t (1 - (1-t)^r)
    after r rounds, and stays at t.

    Args:
        support: Atoms of equal mass that the silo was sent, shape (s, d).
        left: Rows that the server holds, shape (n, d).
        near_right: The silo's answer, shape (s, d).
        t: In (0, 1), as the silo used it.
        entropic_reg: In units of the cost; None for exact plans.

    Returns:
        The next support, shape (s, d).

    Raises:
        ValueError: If an argument is not a finite matrix of the same columns or t is out of range.
        ArithmeticError: If a transport problem is not solved.

    Source:
        Rakotomamonjy et al. (2024), ICLR, arXiv 2310.01973, approximate interpolation with weights 1/s. The
        share is derived here: xi_l is at p (1 - t), xi_r at p + t (1 - p), and t of the way between them is
        p (1 - t) + t^2.
    """
    near_left = towards(support, project(support, left, entropic_reg=entropic_reg).image, t)
    return towards(near_left, project(near_left, near_right, entropic_reg=entropic_reg).image, t)
