# SPDX-License-Identifier: Apache-2.0
"""The one kind of error whose text may cross the wire."""


class Refusal(ValueError):  # noqa: N818 - it reads as what happened
    """An answer that is refused for a reason which the other side may read.

    Whoever raises one sees to it that the text names what was asked and what is allowed, and never a value
    of private data, how many rows a silo holds, or a path of a node.
    """
