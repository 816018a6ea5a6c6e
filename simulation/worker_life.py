# SPDX-License-Identifier: Apache-2.0
"""How long a worker process lives: not longer than the process that started it."""

import multiprocessing
import multiprocessing.connection
import os
import threading


def end_with_parent() -> None:
    """Leave, from now on, when the parent is killed; an idle worker would otherwise wait for it for ever."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
