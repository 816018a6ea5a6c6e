# SPDX-License-Identifier: Apache-2.0
"""``tailweave run --dry-run``: check an experiment and say what it would take, without making a folder."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from threadpoolctl import threadpool_limits

from tailweave.clients import generators
from tailweave.clients.neural.cost import Size, Speed
from tailweave.clients.node import forget
from tailweave.clients.samples import TEXT, Samples
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.protocols import references
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import ArmSpec, Experiment
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.implementing import implementation
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.transported import TransportedReference
from tailweave.protocols.references import Empirical, Reference
from tailweave.protocols.streams import stream
from tailweave.simulation.memory import in_bytes
from tailweave.simulation.report.wording import counted
from tailweave.simulation.workload import Sizes, Workload, sizes, workload
from tailweave.simulation.worlds import check_worlds

_FEW = 400
"""Rows on which selection is timed, and columns and rows of the product that other work is counted in."""
_BRIEF_SECONDS = 2.0
_CLASSES = ("a", "b")
_WORDS = 60
"""Words of a document on which rules that read are timed."""
_FLOAT32, _FLOAT64 = 4, 8
_UNITS = (("days", 86_400.0), ("h", 3_600.0), ("min", 60.0))


@dataclass(frozen=True)
class _Cost:
    """Seconds on one device: of a base, of a refit, of drawing a row."""

    device: str
    base: float
    refit: float
    row: float


def dry_run(experiment: Experiment, console: Console, *, silos_elsewhere: bool = False) -> None:
    """Print what a run would take; times are measured here by a few steps on random rows.

    Args:
        experiment: What would be run.
        console: Where it is printed.
        silos_elsewhere: The silos hold rows of their own, of which nothing is known here.

    Raises:
        ValueError: If the experiment cannot be run as written; missing images are said, not refused.
    """
    forget()
    found = sizes(experiment)
    if found.missing is None:
        check_worlds(experiment, silos_elsewhere=silos_elsewhere)
    work = workload(experiment, found)
    for name, text in _lines(experiment, found, work):
        console.print(f"{name:<10}{text}", soft_wrap=True, markup=False)


def _what(experiment: Experiment, found: Sizes) -> list[tuple[str, str]]:
    silos = experiment.silos
    lines = [
        (
            "run",
            f"{experiment.name}: {counted(len(experiment.arms), 'arm')} x "
            f"{counted(len(experiment.seeds), 'seed')} x {silos.followed} of {counted(silos.count, 'silo')} "
            f"x {counted(experiment.recursion.generations, 'generation')}",
        ),
        (
            "data",
            f"{found.public:,} public and {found.evaluation:,} held-out rows of {found.columns:,} columns",
        ),
    ]
    if found.missing is not None:
        lines.append(("", f"not there, sizes are assumed: {found.missing}"))
    return lines


def _lines(experiment: Experiment, found: Sizes, work: Workload) -> list[tuple[str, str]]:
    lines = _what(experiment, found)
    spec = experiment.generator
    network = _network(experiment)
    size = network.size(spec, _shape(experiment, found)) if network else None
    counted_by_spec = size.parameters if size else spec.parameters(found.columns)
    parameters = counted_by_spec or 0
    said = "size unknown: left out below" if counted_by_spec is None else f"{parameters:,} parameters"
    lines.append(("model", f"{spec.kind}, {said}"))
    memory = _memory(size, spec.working_bytes(found.columns) or 2 * parameters * _FLOAT64, work)
    lines.append(("memory", f"at least {in_bytes(memory)} a process"))
    lines.append(("work", _work(experiment, found, work)))
    base = (size.trained if size else parameters) * (_FLOAT32 if spec.large else _FLOAT64)
    lines.append(
        (
            "messages",
            f"{work.messages:,} questions, the largest about {in_bytes(work.message_bytes + base)}, "
            f"of which the base is {in_bytes(base)}",
        )
    )
    selection = sum(_selection_seconds(experiment, arm, found) for arm in experiment.arms)
    rounds = experiment.silos.followed * experiment.recursion.generations
    picking = selection * len(experiment.seeds) * rounds
    costs = _costs(experiment, found)
    if not costs:
        why = "generator.base is not on this machine" if network else f"only a fit of a {spec.kind} can tell"
        lines.append(("time", f"unknown: {why}; selection {_duration(picking)}"))
    for cost in costs:
        fits = work.bases * cost.base + work.refits * cost.refit
        total = fits + work.draws * cost.row + picking
        lines.append(
            (
                "time",
                f"{cost.device}: about {_duration(total)} (fits {_duration(fits)}, drawing "
                f"{_duration(work.draws * cost.row)}, selection {_duration(picking)}); "
                "features and metrics come on top, --workers share it",
            )
        )
    return lines


def _memory(size: Size | None, working: int, work: Workload) -> int:
    if size is None:
        return working + work.row_bytes
    held = size.parameters + size.copies * size.trained
    return held * _FLOAT32 + size.activation_bytes + work.row_bytes


def _network(experiment: Experiment) -> Any:  # noqa: ANN401 - a contract that only neural generators have
    """Return what implements the generator, if that knows a network's size and its speeds here."""
    spec = experiment.generator
    kind = implementation(spec, spec.kind, generators.__name__)
    return kind if hasattr(kind, "size") else None


def _shape(experiment: Experiment, found: Sizes) -> tuple[int, ...]:
    """Return the shape of one sample: (channels, height, width) of an image, else (p,)."""
    return experiment.data.image_shape or (found.columns,)


def _work(experiment: Experiment, found: Sizes, work: Workload) -> str:
    text = f"{counted(work.bases, 'base fit')}, {counted(work.refits, 'refit')}, {work.draws:,} rows drawn"
    first, later = _steps(experiment, found)
    if not later:
        return text
    total, each = work.bases * first + work.refits * later, experiment.generator.in_steps
    return f"{text}; {total:,} training steps ({first:,} a base, {later:,} a refit; {each})"


def _steps(experiment: Experiment, found: Sizes) -> tuple[int, int]:
    """Return training steps of a base and of a refit (on n rows)."""
    spec, samples = experiment.generator, experiment.recursion.samples
    return spec.training_steps(found.public, first=True), spec.training_steps(samples, first=False)


def _costs(experiment: Experiment, found: Sizes) -> list[_Cost]:
    network = _network(experiment)
    if network is None:
        return _statistical_cost(experiment, found)
    first, later = _steps(experiment, found)
    return [
        _of(speed, first, later) for speed in network.speeds(experiment.generator, _shape(experiment, found))
    ]


def _of(speed: Speed, first: int, later: int) -> _Cost:
    return _Cost(speed.device, first * speed.step_seconds, later * speed.step_seconds, speed.row_seconds)


def _statistical_cost(experiment: Experiment, found: Sizes) -> list[_Cost]:
    """Return what fits cost by their multiplications, as fast as a product is here; nothing is fitted."""
    refit = experiment.generator.operations(found.columns, experiment.recursion.samples)
    base = experiment.generator.operations(found.columns, found.public)
    if refit is None or base is None:
        return []
    square = stream(0, "dry-run").standard_normal((_FEW, _FEW))
    second = _FEW**3 / _seconds(lambda: square @ square)  # multiplications in one
    return [_Cost("cpu", base[0] / second, refit[0] / second, refit[1] / second)]


def _selection_seconds(experiment: Experiment, arm: ArmSpec, found: Sizes) -> float:
    """Time one selection; where it is slow, among few rows, scaled by n N: what the greedy rules do."""
    recursion = experiment.recursion_of(arm)
    rng = stream(0, "dry-run", arm.name)

    def taken(count: int) -> float:
        picks = max(1, round(count * recursion.samples / recursion.candidates))
        rows = rng.standard_normal((count, experiment.features.reduces_to or found.columns))
        reference, given = _stand_in(arm, rows), _candidates(experiment, arm, rows, picks)
        seconds = _seconds(lambda: select(arm.rule, given(), reference, rng=rng))
        return seconds * (recursion.candidates / count) * (recursion.samples / picks)

    seconds = taken(min(recursion.candidates, _FEW))
    return taken(recursion.candidates) if seconds < _BRIEF_SECONDS else seconds


def _candidates(experiment: Experiment, arm: ArmSpec, rows: Floats, picks: int) -> Callable[[], Candidates]:
    """Return what makes candidates with these features: anew each time, as they keep what a rule asked."""
    samples = _samples(experiment, rows)
    scorers = {name: (lambda _: rows[:, 0].copy()) for name in arm.rule.scores}
    if not arm.rule.reads_labels:
        return lambda: Candidates(samples, lambda _: rows, picks, scorers, samples)
    marked = np.hstack([rows[:, :-2], np.asarray(samples.labels)[:, None] == np.array(_CLASSES)])
    space = PublicSpace(np.zeros(rows.shape[1]), 1.0, 0, (1.0, 1.0))
    return lambda: Candidates(samples, lambda _: marked, picks, scorers, samples, public=space)


def _samples(experiment: Experiment, rows: Floats) -> Samples:
    """Return samples of the data's sort with random values, half of them of each class."""
    samples = _documents(rows) if experiment.data.gives == "text" else Samples.of(rows)
    labels = np.resize(_CLASSES, len(samples)) if experiment.generator.labels else None
    return Samples.of(samples.values, labels, samples.sort)


def _documents(rows: Floats) -> Samples:
    """Return as many documents as rows (n, d), each of 60 random words."""
    words = stream(0, "dry-run", "documents").integers(2000, size=(len(rows), _WORDS))
    return Samples.of([" ".join(f"word{word}" for word in text) for text in words.tolist()], sort=TEXT)


def _stand_in(arm: ArmSpec, rows: Floats) -> Reference | None:
    """Return a reference of the arm's form to random rows."""
    spec = arm.reference
    if spec is None:
        return None
    space = PublicSpace(np.zeros(rows.shape[1]), 1.0, 0)
    if isinstance(spec, TransportedReference):
        return Empirical.of(rows)
    if not isinstance(spec, SummarisedReference):
        return references.made(spec, rows, space)
    summary = references.release(rows, spec, space, 2, rng=stream(0, "dry-run", "release"))
    return references.proxy(references.weave([summary], spec), spec, space)


def _seconds(work: Callable[[], object]) -> float:
    """Time one call with one thread, after one that warms up; processor time, whatever else runs here."""
    with threadpool_limits(1):
        work()
        start = time.process_time()
        work()
        return time.process_time() - start


def _duration(seconds: float) -> str:
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
