# SPDX-License-Identifier: Apache-2.0
"""Worker processes: jobs side by side, and how long a worker lives: not longer than what started it."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from threadpoolctl import threadpool_limits

from tailweave.server.failure import RunFailed

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")


def side_by_side(
    job: Callable[[T], R], tasks: Mapping[K, T], workers: int, remedy: str
) -> Iterator[tuple[K, R]]:
    """Do a job on each task in processes of one BLAS thread, and yield what came of each as it is done.

    Args:
        job: What is done; picklable, as are tasks and results.
        tasks: By name.
        workers: Processes at most.
        remedy: What to do if one dies, for the message.

    Raises:
        RunFailed: If a worker process died.
        Exception: Whatever a job raises; what has not begun is dropped.
    """
    if not tasks:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), spawn, _begin) as pool:
        running = {pool.submit(job, task): name for name, task in tasks.items()}
        try:
            yield from ((running[one], one.result()) for one in as_completed(running))
        except BrokenProcessPool:
            raise RunFailed(f"a worker process died; {remedy}") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; a worker ends with its parent
    end_with_parent()
    threadpool_limits(1)


def end_with_parent() -> None:
    """Leave, from now on, when the parent is killed; an idle worker would otherwise wait for it for ever."""
    threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
