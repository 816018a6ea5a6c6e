# SPDX-License-Identifier: Apache-2.0
"""Columns of an undeclared table that look like row numbers: nobody means them as features."""

import numpy as np

from tailweave.clients.data.silo import World
from tailweave.clients.inspection.numbers import is_id
from tailweave.clients.samples import Numbers, unnamed

_WHOLE = 1e-6
"""Distance from a whole number that scaling there and back may leave."""


def notes_on_ids(world: World) -> list[str]:
    """Say which columns hold another whole number in each row, as IDs do, and what to do about it.

    Args:
        world: All rows of a simulation; where columns are declared or have no names nothing is said.

    Returns:
        At most one note.
    """
    sort = world.train.sort
    if not (isinstance(sort, Numbers) and sort.plain) or sort.columns == unnamed(len(sort.columns)):
        return []
    raw = sort.stacked(np.concatenate([world.train.values, world.evaluation.values]))
    columns = [(name, np.rint(raw[:, at])) for at, name in enumerate(sort.columns) if _whole(raw[:, at])]
    found = [repr(name) for name, values in columns if is_id(name, values)]
    if not found:
        return []
    return [
        f"columns that hold another whole number in each row, as IDs do: {', '.join(found)}; they are "
        "compared as all others: if they are IDs, declare the columns with `ignore` (`tailweave inspect "
        "FILE` proposes it)"
    ]


def _whole(column: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    return bool((np.abs(column - np.rint(column)) < _WHOLE).all()) and float(np.abs(column).max()) < 2.0**52
