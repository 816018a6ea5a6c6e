# SPDX-License-Identifier: Apache-2.0
"""How a message tells a user that a name does not exist: what there is, and what is nearest."""

import difflib
from collections.abc import Sequence

SHOWN = 20
"""Names listed before the rest is only counted, so that a wide table still gives a readable message."""


def unknown_name(what: str, name: str, known: Sequence[str]) -> str:
    """Say that ``name`` is unknown.

    Args:
        what: What the name would be of, such as ``"column"``.
        name: The name that was asked for.
        known: The names that exist, in the order to list them.

    Returns:
        One sentence: the name, the nearest known name, and the known names.
    """
    if not known:
        return f"no {what} {name!r}; there are none"
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    listed = ", ".join(known[:SHOWN])
    more = f", ... ({len(known)} in all)" if len(known) > SHOWN else ""
    return f"no {what} {name!r}; nearest: {nearest!r}; known: {listed}{more}"
