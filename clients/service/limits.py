# SPDX-License-Identifier: Apache-2.0
"""What one client may ask of the service, so that none takes it from the others."""

from dataclasses import dataclass

_KIB = 1024
SMALLEST_MESSAGE, LARGEST_MESSAGE = 64 * _KIB, 64 * _KIB**2
MOST_STREAMS, MOST_SECONDS = 1024, 86_400


@dataclass(frozen=True)
class Limits:
    """Bounds that clients meet as RESOURCE_EXHAUSTED or DEADLINE_EXCEEDED.

    Attributes:
        message_bytes: Longest request, in 64 KiB..64 MiB.
        batch_candidates: Most candidates in one batch, positive.
        streams: Most streams at a time, in 1..1024; each holds one open window and one running sum.
        idle_seconds: Longest silence of a client within a stream, in 1..86,400.
        grace_seconds: How long streams may go on when the service is told to stop, in 0..86,400.
    """

    message_bytes: int = 4 * _KIB**2
    batch_candidates: int = 8192
    streams: int = 16
    idle_seconds: int = 300
    grace_seconds: int = 10

    def __post_init__(self) -> None:
        """Refuse bounds out of range."""
        _within("message-bytes", self.message_bytes, SMALLEST_MESSAGE, LARGEST_MESSAGE)
        _within("batch-candidates", self.batch_candidates, 1, LARGEST_MESSAGE)
        _within("streams", self.streams, 1, MOST_STREAMS)
        _within("idle-seconds", self.idle_seconds, 1, MOST_SECONDS)
        _within("grace-seconds", self.grace_seconds, 0, MOST_SECONDS)


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{name} must be in {least}..{most}, got {value}")
