# SPDX-License-Identifier: Apache-2.0
"""Tasks spread over processes, each done once: rows that are there survive a kill."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from threadpoolctl import threadpool_limits

from tailweave.server.journal import Journal
from tailweave.simulation.run_folder import Row, read_rows
from tailweave.simulation.worker_life import side_by_side

T = TypeVar("T")
Job = Callable[[T], list[Row]]


def spread(
    job: Job[T],
    tasks: Sequence[T],
    workers: int,
    journal: Path,
    tell: Callable[[int, int], None] | None = None,
) -> list[list[Row]]:
    """Run ``job`` on all tasks that the journal does not hold, and return the rows of all in order of tasks.

    Every process has one BLAS thread; one worker is this process.

    Args:
        job: What is done; picklable.
        tasks: Picklable.
        workers: Processes.
        journal: File in which each task leaves its rows as soon as it is done; a torn last line is forgiven.
        tell: Told after each task: tasks done, tasks in all.

    Raises:
        RunFailed: If a worker process died.
        Exception: Whatever a task raises; what has not begun is dropped.
    """
    kept = Journal(journal, ordered=False)  # first: it waits for another run, and cuts off what is torn
    done: dict[int, list[Row]] = {row["task"]: row["rows"] for row in read_rows(journal)}
    left = {number: task for number, task in enumerate(tasks) if number not in done}
    try:
        for number, rows in (_here if workers == 1 else _elsewhere)(job, left, workers):
            kept.append({"task": number, "rows": rows})
            done[number] = rows
            if tell is not None:
                tell(len(done), len(tasks))
    finally:
        kept.close()
    return [done[number] for number in range(len(tasks))]


def _here(job: Job[T], tasks: Mapping[int, T], workers: int) -> Iterator[tuple[int, list[Row]]]:
    with threadpool_limits(1):
        yield from ((number, job(task)) for number, task in tasks.items())


def _elsewhere(job: Job[T], tasks: Mapping[int, T], workers: int) -> Iterator[tuple[int, list[Row]]]:
    remedy = "go on with --resume, with fewer workers if memory ran out"
    yield from side_by_side(job, tasks, workers, remedy)
