# SPDX-License-Identifier: Apache-2.0
"""What the command line says when a command cannot go on: one message, and its exit code."""

import sys

from tailweave.server.failure import RunFailed


def last_words(error: Exception) -> tuple[str, int]:
    """Return the message and exit code of an error: 2 for what the user got wrong, 1 for all else.

    Raises:
        Exception: The error itself if tailweave should not have raised it and Python runs in development mode
            (``python -X dev``), where its traceback is wanted.
    """
    if isinstance(error, ValueError):
        return f"error: {error}", 2
    if isinstance(error, RunFailed):
        return f"run failed: {error}", 1
    said = f": {error}" if str(error) else ""
    if isinstance(error, MemoryError):
        return f"error: not enough memory{said}; fewer rows, columns, components or --workers need less", 1
    if isinstance(error, OSError):
        return f"error: cannot read or write{said}", 1
    if sys.flags.dev_mode:
        raise error
    return (
        f"error: {type(error).__name__}{said}; this is a fault of tailweave, or of a kind that another "
        "package brought: please report it with what `python -X dev -m tailweave` says",
        1,
    )
