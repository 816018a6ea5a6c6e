# SPDX-License-Identifier: Apache-2.0
"""The one check that every rule makes of n."""


def check_count(count: int, candidates: int) -> None:
    """Refuse a number of picks that the candidates cannot give.

    Args:
        count: n.
        candidates: N.

    Raises:
        ValueError: If n is not in 1..N.
    """
    if not 1 <= count <= candidates:
        raise ValueError(f"count must be in 1..{candidates} (the candidates), got {count}")
