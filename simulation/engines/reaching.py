# SPDX-License-Identifier: Apache-2.0
"""Whether somebody listens at an address, before a run depends on it."""

import socket


def unreached(host: str, port: int, seconds: float) -> str:
    """Say why nobody answers there in time; empty if somebody does."""
    try:
        socket.create_connection((host, port), seconds).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
