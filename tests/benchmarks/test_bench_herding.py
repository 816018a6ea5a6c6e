# SPDX-License-Identifier: Apache-2.0
"""Herding n = 2,500 of N = 10,000 in 64 dimensions, against one (N x d)(d x N) float64 matrix product."""

import time

import numpy as np
import pytest

from tailweave.clients.selection.herding import herding
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical, Reference, read_summary, release, weave
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream

CANDIDATES, PICKED, DIMENSION, POINTS = 10_000, 2_500, 64, 2_000


def reference(kind: str) -> Reference:
    points = stream(0, "points").normal(size=(POINTS, DIMENSION))
    if kind == "points":
        return Empirical.of(points)
    space = PublicSpace(np.zeros(DIMENSION), 1.0, 0)
    spec = SlicedReference(kind="sliced", directions=256, coefficients=8)
    summary = release(points, spec, space, 10, rng=stream(0, "release"))
    return Sliced(weave([read_summary(summary.arrays(), spec, DIMENSION)], spec)["sketch"], spec, space)


@pytest.mark.benchmark(group="herding 2,500 of 10,000 in 64 dimensions")
@pytest.mark.parametrize("kind", ["points", "sliced"])
def test_herding_against_one_matrix_product(benchmark, capsys, kind):
    candidates = stream(0, "candidates").normal(size=(CANDIDATES, DIMENSION))
    compared = reference(kind)
    product = min(_seconds_of_product(candidates) for _ in range(3))
    picks = benchmark.pedantic(herding, (compared, candidates, PICKED), rounds=1, iterations=1)
    assert len(set(picks.tolist())) == PICKED
    seconds = benchmark.stats.stats.min
    benchmark.extra_info |= {"product seconds": product, "ratio": seconds / product}
    with capsys.disabled():
        print(  # noqa: T201 - what a benchmark is for
            f"\n{kind}: herding {seconds:.2f} s, product {product:.2f} s, ratio {seconds / product:.1f}"
        )


def _seconds_of_product(candidates: np.ndarray) -> float:
    begun = time.perf_counter()
    _ = candidates @ candidates.T  # (N, N), 800 MB
    return time.perf_counter() - begun
