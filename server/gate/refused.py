# SPDX-License-Identifier: Apache-2.0
"""A request that the gate does not pass on."""


class Refused(Exception):  # noqa: N818 - an answer, not a fault of ours
    """Its status, what the peer is told, and of which type the text is."""

    def __init__(self, status: int, text: str, media: str = "text/plain") -> None:
        """Answer with ``status`` and ``text``, then close the connection."""
        super().__init__(text)
        self.status, self.media = status, media
