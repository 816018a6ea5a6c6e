# SPDX-License-Identifier: Apache-2.0
"""The rows of each study, as ``metrics.jsonl`` holds them; work is spread over processes, order is not."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from tailweave.protocols.streams import stream
from tailweave.simulation.paper.families import follow
from tailweave.simulation.paper.gaussian import SETTINGS, Recursion, Setting, Traces, trajectories
from tailweave.simulation.paper.spec import FamiliesSpec, Family, GaussianSpec, StudySpec, TransportSpec
from tailweave.simulation.paper.transport import barycenter_row, fedwad_rows, toy_row
from tailweave.simulation.paper.worlds import Draws, isotropic_world, legacy_stream, published_world
from tailweave.simulation.run_folder import Row

Progress = Callable[[int, int], None]
"""Told after each piece of work: pieces done, pieces in all."""

_Task = TypeVar("_Task")


def rows_of(spec: StudySpec, progress: Progress) -> Iterator[Row]:
    """Run a study, and yield its rows, sorted by what it varies; the same for any number of workers."""
    match spec:
        case GaussianSpec():
            yield from _gaussian(spec, progress)
        case FamiliesSpec():
            yield from _families(spec, progress)
        case TransportSpec():
            yield from _transport(spec, progress)


def _spread(
    job: Callable[[_Task], list[Row]], tasks: Sequence[_Task], workers: int, progress: Progress
) -> Iterator[Row]:
    """Run ``job`` on all tasks and yield their rows in the order of tasks.

    Every process has one BLAS thread; one worker is this process.
    """
    if workers == 1:
        with threadpool_limits(1):
            for done, task in enumerate(tasks, start=1):
                yield from job(task)
                progress(done, len(tasks))
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _one_thread) as pool:
        for done, rows in enumerate(pool.map(job, tasks), start=1):
            yield from rows
            progress(done, len(tasks))


def _one_thread() -> None:
    threadpool_limits(1)


_GaussianTask = tuple[GaussianSpec, str, int, tuple[int, ...]]


def _gaussian(spec: GaussianSpec, progress: Progress) -> Iterator[Row]:
    parts = [spec.seeds[i :: spec.workers] for i in range(min(spec.workers, len(spec.seeds)))]
    tasks: list[_GaussianTask] = [
        (spec, "published", samples, part) for samples in sorted(spec.samples, reverse=True) for part in parts
    ]
    tasks += [(spec, "isotropic", spec.isotropic_samples, part) for part in parts]
    rows = list(_spread(_gaussian_job, tasks, spec.workers, progress))
    order = {name: place for place, name in enumerate((*SETTINGS, *spec.seeds))}
    rows.sort(
        key=lambda row: (
            row["world"] == "isotropic",
            row["samples"],
            order[row["setting"]],
            order[row["seed"]],
            row["generation"],
        )
    )
    yield from rows


def _gaussian_job(task: _GaussianTask) -> list[Row]:
    spec, world, samples, seeds = task
    recursion = Recursion(samples, spec.alpha, spec.generations)
    draws: list[Draws]
    settings: tuple[Setting, ...]
    if world == "published":
        legacy = [legacy_stream(seed) for seed in seeds]
        worlds = [published_world(one, dimensions=spec.dimensions) for one in legacy]
        draws, settings = list(legacy), SETTINGS
    else:
        worlds = [isotropic_world(spec.dimensions)] * len(seeds)
        draws = [stream(seed, "paper", "isotropic", samples) for seed in seeds]
        settings = ("accumulate+select",)
    rows: list[Row] = []
    for setting in settings:  # in the published order: one stream a seed feeds them all
        traces = trajectories(setting, worlds, draws, recursion)
        rows += _trace_rows({"world": world, "setting": setting, "samples": samples}, seeds, traces)
    return rows


def _trace_rows(names: Row, seeds: Sequence[int], traces: Traces) -> list[Row]:
    columns = {
        "mean_error_sq": traces.mean_error_sq,
        "target_error_sq": traces.target_error_sq,
        "variance": traces.variance,
        "variance_ratio": traces.ratio,
    }
    return [
        names
        | {"seed": seed, "generation": t}
        | {name: float(values[place, t]) for name, values in columns.items()}
        for place, seed in enumerate(seeds)
        for t in range(traces.variance.shape[1])
    ]


_FamilyTask = tuple[FamiliesSpec, Family, int, Setting, int]


def _families(spec: FamiliesSpec, progress: Progress) -> Iterator[Row]:
    tasks: list[_FamilyTask] = [
        (spec, family, samples, setting, seed)
        for family in spec.families
        for samples in spec.samples
        for setting in SETTINGS
        for seed in spec.seeds
    ]
    yield from _spread(_family_job, tasks, spec.workers, progress)


def _family_job(task: _FamilyTask) -> list[Row]:
    spec, family, samples, setting, seed = task
    names = {"family": family, "setting": setting, "samples": samples, "seed": seed}
    at = range(0, spec.generations + 1, spec.judge_every)
    recursion = Recursion(samples, spec.alpha, spec.generations)
    found = follow(family, setting, seed, recursion, dimensions=spec.dimensions, at=at)
    return [names | row | {"generation": generation} for generation, row in zip(at, found, strict=True)]


_TransportTask = tuple[TransportSpec, int, int | None]


def _transport(spec: TransportSpec, progress: Progress) -> Iterator[Row]:
    tasks: list[_TransportTask] = [
        (spec, seed, samples) for seed in spec.seeds for samples in (None, *spec.barycenter_samples)
    ]
    yield from _spread(_transport_job, tasks, spec.workers, progress)
    yield toy_row()


def _transport_job(task: _TransportTask) -> list[Row]:
    spec, seed, samples = task
    if samples is None:
        return fedwad_rows(seed, samples=spec.samples, rounds=spec.rounds)
    return [barycenter_row(seed, samples=samples)]
