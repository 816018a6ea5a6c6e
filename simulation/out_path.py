# SPDX-License-Identifier: Apache-2.0
"""Whether something can be written where ``--out`` says, found out before any work and without a trace."""

import os
from pathlib import Path

from tailweave.protocols.config.load import ConfigError


def check_writable(out: Path) -> None:
    """Refuse a path that could not be made; nothing is made here.

    Raises:
        ConfigError: If a part of the path is a file, may not be written to, or is no path at all.
    """
    whole = out.absolute()
    try:
        there = next(path for path in (whole, *whole.parents) if path.exists())
    except (OSError, ValueError) as error:  # too long a name; a null character
        raise ConfigError(f"--out: {out} is no path: {getattr(error, 'strerror', error)}") from None
    if there != whole and not there.is_dir():
        raise ConfigError(f"--out: {there} is a file, nothing can be made in it: give another folder")
    if not os.access(there, os.W_OK | (os.X_OK if there.is_dir() else 0)):
        raise ConfigError(f"--out: {there} may not be written to: give another folder")
