# SPDX-License-Identifier: Apache-2.0
"""How far a long training is, in a small file that the command line may look at."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

from tailweave.protocols.whole_file import write_whole

TOLD = "training.json"
"""Name of the file, beside the checkpoint, while a generation is trained."""

_EVERY_SECONDS = 0.5


def telling(path: Path) -> Callable[[int, int], None]:
    """Return what a training calls after each step; it writes the file at once, then twice a second.

    Args:
        path: The file; gone after the last step. Its folder is there.

    Returns:
        A function of the steps done and the steps in all.
    """
    last = -math.inf

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done == total:
            last = -math.inf
            path.unlink(missing_ok=True)
            return
        if time.monotonic() - last < _EVERY_SECONDS:
            return
        last = time.monotonic()
        write_whole(path, json.dumps({"done": done, "total": total}), mode=0o600, lasting=False)

    return tell
