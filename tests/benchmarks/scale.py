# SPDX-License-Identifier: Apache-2.0
"""Time, memory and quality of picks against the number of candidates, picks, columns and directions.

    python tests/benchmarks/scale.py OUT.json OUT.svg [--small] [--resume]

Each method runs on the same candidates in a process of its own, beside one float32 product (N x d)(d x N) in
the same process. Seconds are of the processor, as neighbours on a machine change them little, and of the
clock; one thread each, two where there are 200,000 candidates of 512 columns. Candidates are a biased copy of
a mixture of ten modes; quality is the energy distance of the picks to rows of the truth that no method saw.
``goodpoints`` (kernel thinning, float64, Gaussian kernel) looks at the candidates alone, and is left out,
with the reason, where it is not installed.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tailweave.clients.selection.herding import herding
from tailweave.clients.selection.nash import nash, silo_potentials
from tailweave.clients.selection.partial_transport import partial_transport
from tailweave.clients.selection.top_potential import top_potential
from tailweave.clients.selection.windows import windowed_herding
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical
from tailweave.protocols.references.barycenter import Barycenter
from tailweave.protocols.references.geodesic import Geodesic
from tailweave.protocols.references.sliced import Sliced, summarise
from tailweave.protocols.streams import stream

MODES, UNSEEN, LARGEST_PRODUCT = 10, 4000, 10_000


@dataclass(frozen=True)
class Case:
    """One pick."""

    method: str
    candidates: int = 10_000
    picks: int = 2500
    columns: int = 64
    points: int = 2000
    directions: int = 256
    silos: int = 10
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class World:
    """Candidates, the reference's rows, and rows of the truth that nobody sees."""

    candidates: np.ndarray
    points: np.ndarray
    unseen: np.ndarray

    @classmethod
    def of(cls, case: Case) -> "World":
        rng = stream(case.seed, "bench", "scale", case.columns)
        centers = rng.normal(size=(MODES, case.columns)) * np.sqrt(32.0 / case.columns)
        truth, other = rng.dirichlet(np.full(MODES, 3.0), size=2)

        def draw(count: int, shares: np.ndarray, spread: float) -> np.ndarray:
            rows = rng.normal(size=(count, case.columns))
            rows *= spread
            rows += centers[rng.choice(MODES, size=count, p=shares)]
            return rows

        points, unseen = draw(case.points, truth, 1.0), draw(UNSEEN, truth, 1.0)
        return cls(draw(case.candidates, 0.5 * (truth + other), 1.1), points, unseen)


def sketch(case: Case, points: np.ndarray, basis: str = "cosine") -> Sliced:
    center = points.mean(axis=0)
    space = PublicSpace(center, float(np.sqrt(((points - center) ** 2).mean())), 0)
    spec = SlicedReference(kind="sliced", basis=basis, directions=case.directions)
    found = summarise(points, spec, space)
    return Sliced(found.sums / found.count, spec, space)


def exact(form: str) -> Callable[[Case, World], np.ndarray]:
    return lambda case, world: herding(_reference(form, case, world), world.candidates, case.picks)


def windows(form: str) -> Callable[[Case, World], np.ndarray]:
    def pick(case: Case, world: World) -> np.ndarray:
        residual = _reference(form, case, world).residual()
        rng, length = stream(case.seed, "pick"), residual.window_length
        return windowed_herding(residual, world.candidates, case.picks, length=length, rng=rng)

    return pick


def _reference(form: str, case: Case, world: World) -> Empirical | Sliced:
    return Empirical.of(world.points) if form == "points" else sketch(case, world.points, form)


def random(case: Case, world: World) -> np.ndarray:
    return stream(case.seed, "pick").choice(case.candidates, case.picks, replace=False)


def partial(case: Case, world: World) -> np.ndarray:
    return partial_transport(Empirical.of(world.points), world.candidates, case.picks)


def scheme_2(case: Case, world: World) -> np.ndarray:
    masses = np.full(case.points, 1.0 / case.points)
    return top_potential(Barycenter(world.points, masses), world.candidates, case.picks)


def scheme_1(case: Case, world: World) -> np.ndarray:
    parts = world.points[: case.points // case.silos * case.silos].reshape(case.silos, -1, case.columns)
    masses, weights = np.full(case.points, 1.0 / case.points), np.full(case.silos, 1.0 / case.silos)
    found = silo_potentials(Geodesic(world.points, masses, parts, weights), world.candidates)
    return nash(*found, case.picks)


def goodpoints(case: Case, world: World) -> np.ndarray:
    """Kernel thinning of the candidates by Compress: 2,048 of 8,192, two bins of 4^6; knows no reference."""
    from goodpoints import compress

    spread = ((world.candidates - world.candidates.mean(axis=0)) ** 2).sum(axis=1).mean()
    kernel = np.array([2.0 * spread])
    found = compress.compress_kt(
        world.candidates, b"gaussian", k_params=kernel, g=4, num_bins=2, seed=case.seed
    )
    return np.asarray(found)


METHODS: dict[str, Callable[[Case, World], np.ndarray]] = {
    "herding, points": exact("points"),
    "herding, sketch": exact("cosine"),
    "windows, points": windows("points"),
    "windows, sketch": windows("cosine"),
    "windows, bins": windows("histogram"),
    "random": random,
    "partial-transport (POT)": partial,
    "Scheme I": scheme_1,
    "Scheme II": scheme_2,
    "kernel thinning (goodpoints)": goodpoints,
}


def measured(case: Case) -> dict[str, object]:
    """Run one case here."""
    world = World.of(case)
    rows = world.candidates[:LARGEST_PRODUCT].astype(np.float32)
    product = min(_seconds(lambda: rows @ rows.T) for _ in range(3))
    before, (wall, processor) = _peak(), (time.perf_counter(), time.process_time())
    try:
        picks = METHODS[case.method](case, world)
    except ImportError as error:
        return {**asdict(case), "left out": str(error)}
    seconds = time.process_time() - processor, time.perf_counter() - wall
    found = {"seconds": seconds[0], "wall": seconds[1], "product": product, "MiB": (_peak(), before)}
    return {**asdict(case), **found, "energy": _energy(world.candidates[picks[:5000]], world.unseen)}


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _energy(x: np.ndarray, y: np.ndarray) -> float:
    return 2 * _mean(x, y) - _mean(x, x) - _mean(y, y)


def _mean(x: np.ndarray, y: np.ndarray) -> float:
    """Mean distance, by products of float64."""
    squares, total = (y * y).sum(axis=1), 0.0
    for start in range(0, len(x), 500):
        part = x[start : start + 500]
        gap = part @ (-2.0 * y.T) + squares + (part * part).sum(axis=1)[:, None]
        total += np.sqrt(np.maximum(gap, 0.0)).sum()
    return float(total / (len(x) * len(y)))


def cases(*, small: bool) -> dict[str, list[Case]]:
    """All cases, by what is varied."""
    sizes = (2000, 6300) if small else (2000, 6300, 20_000, 63_000, 200_000)
    base = Case("", candidates=5000, picks=1250) if small else Case("", candidates=20_000, picks=5000)
    exactly, both = ("herding, points", "herding, sketch"), ("windows, points", "windows, sketch")
    by_size = [replace(Case(m), candidates=n, picks=n // 4) for n in sizes for m in (*both, "windows, bins")]
    slow = [
        replace(Case(f"herding, {form}"), candidates=n, picks=n // 4)
        for n in sizes
        for form, most in (("points", 20_000), ("sketch", 6300))
        if n <= most
    ]
    peers = Case("", candidates=8192, picks=2048, points=1000)
    quality = Case("", 5000, 1250) if small else Case("")
    return {
        "quality": [
            replace(quality, method=f"{how}, {form}", columns=d, seed=seed)
            for form in ("points", "sketch")
            for seed in range(2 if small else 5)
            for d in (64, 512)
            for how in ("herding", "windows")
        ],
        "candidates": by_size + slow,
        "peers": [replace(peers, method=name) for name in METHODS],
        "picks": [replace(base, method=m, picks=k) for k in (base.picks // 25, base.picks) for m in both],
        "columns": [replace(base, method=m, columns=d) for d in (16, 64, 256) for m in both],
        "directions": [replace(base, method=both[1], directions=k) for k in (64, 256, 1024)],
        "twice": [] if small else [Case(m, 20_000, 5000, 512) for m in (*exactly, *both)],
        "large": [] if small else [Case(m, 200_000, 50_000, 512, threads=2) for m in reversed(both)],
    }


def slopes(results: list[dict[str, object]], key: str) -> dict[str, float]:
    """Least-squares slope of log seconds against log of what is varied, by method."""
    found = {}
    for method in dict.fromkeys(str(r["method"]) for r in results):
        mine = [r for r in results if r["method"] == method]
        if len({r[key] for r in mine}) > 1:
            logs = np.log([[float(r[key]), float(r["seconds"])] for r in mine])
            found[method] = float(np.polyfit(*logs.T, 1)[0])
    return found


def main(out: Path, picture: Path, *, small: bool, resume: bool) -> None:
    """Run all, case by case, and write the file after each; ``resume``: what is in it is not run again."""
    kept = json.loads(out.read_text()) if resume else {"cases": {}}
    for group, wanted in cases(small=small).items():
        done = kept["cases"].setdefault(group, [])
        for case in wanted:
            if not any(all(old[k] == v for k, v in asdict(case).items()) for old in done):
                done.append(_in_a_process(case))
                print(group, done[-1], flush=True)  # noqa: T201 - what a benchmark is for
                kept["slopes"] = {k: slopes(v, k) for k, v in kept["cases"].items() if k in asdict(case)}
                out.write_text(json.dumps(kept, indent=1))
    from scale_figure import draw

    draw(kept, picture)


def _in_a_process(case: Case) -> dict[str, object]:
    command = [sys.executable, __file__, "--one", json.dumps(asdict(case))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(case.threads))
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | threads)
    found: dict[str, object] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        print(json.dumps(measured(Case(**json.loads(sys.argv[2])))))  # noqa: T201 - to the process above
    else:
        out, picture = map(Path, sys.argv[1:3])
        main(out, picture, small="--small" in sys.argv, resume="--resume" in sys.argv)
