# SPDX-License-Identifier: Apache-2.0
"""How much memory this machine has, and whether a generator's fit and its candidates go into it."""

import os
from contextlib import suppress
from pathlib import Path

from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.kinds.generators.base import GeneratorKind

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container says how much its processes may use, in version 2 and 1 of control groups."""
_NUMBER_BYTES = 8


def machine_bytes() -> int | None:
    """Return the memory that processes may use here: the machine's, or its container's; None if unknown."""
    found = []
    with suppress(AttributeError, OSError, ValueError):  # not on every system
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for path in _LIMITS:
        with suppress(OSError, ValueError):  # no such group, or "max"
            found.append(int(path.read_text(encoding="ascii")))
    return min(found, default=None)


def check_memory(generator: GeneratorKind, columns: int, there: int | None = None) -> None:
    """Refuse a generator whose fit cannot go into memory, before it is tried.

    Args:
        generator: What would be fitted.
        columns: Of the rows.
        there: Memory in bytes; None for this machine's.

    Raises:
        ConfigError: With what it needs, what there is, and what to change.
    """
    needed, there = generator.working_bytes(columns), there or machine_bytes()
    if needed is None or there is None or needed <= there:
        return
    fewer = int(columns * (there / needed) ** 0.5)
    ways = [
        generator.smaller(columns, there),
        f"at most about {fewer:,} columns",
        "generator.kind: diffusion",
    ]
    raise ConfigError(
        f"generator {generator.kind}: a fit on {columns:,} columns needs at least {in_bytes(needed)} of "
        f"memory, this machine has {in_bytes(there)}; what fits: {'; '.join(filter(None, ways))}"
    )


def check_candidates(options: RecursionSpec, columns: int, there: int | None = None) -> None:
    """Refuse more candidates than go into memory, before the first is drawn.

    Args:
        options: How many are drawn in each generation, and whether those of all are kept.
        columns: Of a candidate; 0 where it is a document.
        there: Memory in bytes; None for this machine's.

    Raises:
        ConfigError: With what they need, what there is, and what to change.
    """
    kept = options.generations if options.paradigm == "accumulate-select" else 1
    rows, there = options.candidates * kept, there or machine_bytes()
    needed = rows * columns * _NUMBER_BYTES
    if there is None or needed <= there:
        return
    of_all = f" of {kept} generations" if kept > 1 else ""
    most = int(options.samples * (there / needed))
    raise ConfigError(
        f"recursion: {rows:,} candidates{of_all} of {columns:,} columns need at least {in_bytes(needed)} of "
        f"memory, this machine has {in_bytes(there)}; what fits: recursion.samples of at most {most:,}, or "
        "fewer candidates-per-sample"
    )


def in_bytes(count: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("KiB", "MiB"):
        count /= 1024
        if count < 1024:
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} GiB"
