# SPDX-License-Identifier: Apache-2.0
"""A lock that does not outlive the process that holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when the process dies, however it dies.

    Args:
        path: The lock; made here, readable by its owner only. Its folder exists.

    Raises:
        OSError: If it cannot be opened.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
