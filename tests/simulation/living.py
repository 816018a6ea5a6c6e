# SPDX-License-Identifier: Apache-2.0
"""Whether a process is still there, from the kernel."""

from pathlib import Path


def alive(process: int) -> bool:
    """Tell whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:  # it may end between the opening and the reading
        return False
