# SPDX-License-Identifier: Apache-2.0
"""Attack ``inverse map``: what a support was mapped to (arXiv 2606.13732) are the rows themselves."""

import numpy as np

from tailweave.protocols.arrays import Floats
from tailweave.protocols.transport.coupling import entropic_self


def rows_from_map(
    support: Floats, moved: Floats, *, share: float = 1.0, entropic_reg: float | None = None
) -> Floats:
    r"""Undo the way of each atom: T(x) = x + (moved - x) / t, and what debiasing took off, T^xx(x) - x.

    Args:
        support: Atoms that the silo was sent, shape (s, d).
        moved: Where it moved them to, shape (s, d), in the same order.
        share: t, the share of the way that it moved them, above 0, at most 1.
        entropic_reg: Of its map, in units of the cost; None for an exact map.

    Returns:
        Means of the rows that each atom was sent to, shape (s, d): exact and with s a multiple of n, the
        rows.

    Raises:
        ValueError: If the support is not finite or ``entropic_reg`` not positive.
        ArithmeticError: If the bias cannot be solved for.

    Source:
        Derived here from arXiv 2606.13732, Schemes I and II; 100 % of the rows with s = n.
    """
    image: Floats = support + (moved - support) / share
    if entropic_reg is None:
        return image
    plan = entropic_self(support, np.ones(len(support)), entropic_reg).plan
    mean: Floats = plan @ support / plan.sum(axis=1, keepdims=True)
    return image + mean - support
