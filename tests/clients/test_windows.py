# SPDX-License-Identifier: Apache-2.0
"""Herding in windows: its definition read aloud, its quality beside herding, and pools that are sorted."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch  # noqa: F401 - what a mark asks

from tailweave.clients.neural.processor import HERE, processor_in_use, torch_on
from tailweave.clients.selection import herding as module
from tailweave.clients.selection import select
from tailweave.clients.selection.candidates import Candidates
from tailweave.clients.selection.herding import herding, nearest_subset
from tailweave.clients.selection.windows import windowed_herding
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import Empirical, Reference
from tailweave.protocols.references.sliced import Sliced, summarise
from tailweave.protocols.streams import stream

FORMS = ["points", "cosine", "histogram"]


def reference(form: str, points: np.ndarray, directions: int = 64) -> Reference:
    if form == "points":
        return Empirical.of(points)
    space = PublicSpace(points.mean(axis=0), float(points.std()), 0)
    spec = SlicedReference(kind="sliced", basis=form, directions=directions)
    summary = summarise(points, spec, space)
    return Sliced(summary.sums / summary.count, spec, space)


def clouds(seed: int, count: int, dimension: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(seed, "clouds")
    return rng.normal(size=(300, dimension)), 1.3 * rng.normal(size=(count, dimension)) + 0.2


def picked(
    form: str, seed: int, count: int, size: int, length: int
) -> tuple[list[int], Reference, np.ndarray]:
    points, x = clouds(seed, size)
    compared = reference(form, points)
    found = windowed_herding(compared.residual(), x, count, length=length, rng=stream(seed, "windows"))
    return found.tolist(), compared, x


def slow_windows(compared: Reference, x: np.ndarray, count: int, length: int, order: np.ndarray) -> list[int]:
    """The definition, read aloud, with all pairs; also the narrowest win."""
    h, pairs = compared.potential(x), compared.pairs(x)
    distance = np.stack([pairs.column(i) for i in range(len(x))]).astype(np.float64)
    kept: list[list[int]] = []
    margin = np.inf

    def herd(window: np.ndarray, share: int) -> list[int]:
        nonlocal margin
        made: list[int] = []
        for _ in range(share):
            before = [*sum(kept, []), *made]
            cost = (len(before) + 1) * h[window] - distance[np.ix_(window, before)].sum(axis=1)
            cost[np.isin(window, made)] = np.inf
            best, second = np.sort(cost)[:2]
            margin = min(margin, second - best)
            made.append(int(window[np.argmin(cost)]))
        return made

    windows = [order[begin : begin + length] for begin in range(0, len(x), length)]
    for window in windows:
        until = (sum(map(len, windows[: len(kept)])) + len(window)) * count // len(x)
        kept.append(herd(window, until - sum(map(len, kept))))
    for number, window in enumerate(windows):
        share, kept[number] = len(kept[number]), []
        kept[number] = herd(window, share)
    assert margin > 1e-4  # no tie within the error of float32
    return sum(kept, [])


@pytest.mark.parametrize(("form", "seed"), [("points", 0), ("points", 3), ("cosine", 0), ("cosine", 1)])
def test_picks_are_those_of_the_slow_loop(form, seed):
    got, compared, x = picked(form, seed, 53, 160, 40)
    order = stream(seed, "windows").permutation(160)
    assert got == slow_windows(compared, x, 53, 40, order)


@pytest.mark.parametrize("form", FORMS)
def test_a_window_that_holds_all_is_herding(form):
    got, compared, x = picked(form, 1, 50, 200, 200)
    assert sorted(got) == sorted(herding(compared, x, 50).tolist())


def energy(subset: np.ndarray, points: np.ndarray) -> float:
    """Energy distance of a subset from points, but for what no pick changes."""
    between = np.sqrt(((subset[:, None] - points[None]) ** 2).sum(axis=2)).mean()
    return float(2 * between - np.sqrt(((subset[:, None] - subset[None]) ** 2).sum(axis=2)).mean())


@pytest.mark.parametrize("form", FORMS)
def test_a_pick_in_windows_is_nearly_as_good(form):
    points, x = clouds(2, 1200, 5)
    compared, floor = reference(form, points), energy(points, points)
    exact = energy(x[herding(compared, x, 300)], points) - floor
    found = windowed_herding(compared.residual(), x, 300, length=200, rng=stream(0, "windows"))
    drawn = energy(x[stream(0, "random").choice(1200, 300, replace=False)], points) - floor
    assert energy(x[found], points) - floor < min(1.15 * exact, 0.2 * drawn)  # 1.02 to 1.07 were seen


@pytest.mark.parametrize("form", FORMS)
def test_a_pool_sorted_by_mode_gets_the_shares_of_the_reference(form):
    """Windows of one mode would keep its share among the candidates: .8 where the reference has .5."""
    rng = stream(0, "modes")
    points = np.repeat([[-4.0, 0.0], [4.0, 0.0]], 100, axis=0) + rng.normal(size=(200, 2))
    x = np.repeat([[-4.0, 0.0], [4.0, 0.0]], [480, 120], axis=0) + rng.normal(size=(600, 2))
    found = windowed_herding(reference(form, points).residual(), x, 150, length=50, rng=stream(0, "windows"))
    assert abs((found >= 480).mean() - 0.5) < 0.02


def test_few_of_many_widen_the_windows():
    got, compared, x = picked("points", 4, 8, 600, 16)
    assert sorted(got) == sorted(herding(compared, x, 8).tolist())  # 8 of 600: one window


@pytest.mark.parametrize("count", [1, 7, 160])
def test_as_many_are_picked_as_are_asked_for(count):
    assert len(set(picked("cosine", 0, count, 160, 16)[0])) == count


def test_duplicated_candidates_are_each_picked_at_most_once():
    x = np.repeat([[0.0, 0.0], [4.0, 4.0]], 40, axis=0)
    compared = Empirical.of(np.array([[0.0, 0.0], [4.0, 4.0]]))
    found = windowed_herding(compared.residual(), x, 32, length=20, rng=stream(0, "windows"))
    assert len(set(found.tolist())) == 32
    assert (found < 40).sum() == 16


def test_candidates_may_lie_on_disk(tmp_path):
    points, x = clouds(0, 300)
    stored = np.memmap(tmp_path / "x", dtype=np.float64, mode="w+", shape=x.shape)
    stored[:] = x
    given = [
        windowed_herding(Empirical.of(points).residual(), some, 60, length=64, rng=stream(0, "w")).tolist()
        for some in (x, stored)
    ]
    assert given[0] == given[1]


def asked(compared: Reference, x: np.ndarray, count: int, **options: int) -> list[int]:
    spec = RULES.kinds["herding"](kind="herding", **options)
    return select(spec, Candidates.of(x, count), compared, rng=stream(0, "select")).tolist()


def test_the_rule_is_exact_up_to_a_number_of_candidates_and_in_windows_beyond(monkeypatch):
    points, x = clouds(0, 700)
    compared = Empirical.of(points)
    assert asked(compared, x, 90) == herding(compared, x, 90).tolist()
    windows = windowed_herding(compared.residual(), x, 90, length=64, rng=stream(0, "select")).tolist()
    assert asked(compared, x, 90, window=64) == windows != herding(compared, x, 90).tolist()
    assert asked(compared, x, 90, window=700) == herding(compared, x, 90).tolist()
    monkeypatch.setattr(module, "AT_ONCE", 600)
    monkeypatch.setattr(type(compared.residual()), "window_length", 64)
    assert asked(compared, x, 90) == windows


@pytest.mark.parametrize(
    ("options", "message"),
    [({"window": 15}, "greater than or equal to 16"), ({"window": 5000}, "less than or equal to 4096")],
)
def test_windows_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RULES.kinds["herding"](kind="herding", **options)


@dataclass(frozen=True)
class Foreign:
    """Another package's reference, without a residual."""

    inner: Empirical

    def potential(self, x: np.ndarray) -> np.ndarray:
        return self.inner.potential(x)

    def pairs(self, x: np.ndarray):
        return self.inner.pairs(x)


def test_a_reference_without_a_residual_is_herded_against_at_once(monkeypatch):
    points, x = clouds(0, 100)
    monkeypatch.setattr(module, "AT_ONCE", 50)
    assert asked(Foreign(Empirical.of(points)), x, 20) == herding(Empirical.of(points), x, 20).tolist()
    with pytest.raises(ValueError, match="window must not be set for a reference of type Foreign.* got 32"):
        asked(Foreign(Empirical.of(points)), x, 20, window=32)


@pytest.mark.parametrize("count", [0, 101])
def test_counts_out_of_range_are_refused(count):
    points, x = clouds(0, 100)
    with pytest.raises(ValueError, match=rf"count must be in 1..100 \(the candidates\), got {count}"):
        nearest_subset(Empirical.of(points), x, count, length=32, rng=stream(0, "w"))


def on_another_processor(form: str, device: str, size: int) -> tuple[float, float, float]:
    """Share of picks that NumPy makes too, and both energies."""
    points, x = clouds(3, size, 8)
    compared, floor = reference(form, points), energy(points, points)
    found = [
        windowed_herding(compared.residual(where), x, size // 4, length=128, rng=stream(0, "w"))
        for where in (HERE, torch_on(device))
    ]
    first, second = (energy(x[some], points) - floor for some in found)
    return len(np.intersect1d(*found)) / (size // 4), first, second


@pytest.mark.parametrize("form", FORMS)
def test_torch_picks_as_numpy_does(form):
    """To the last bit of a product, which may decide between candidates that are as good."""
    share, first, second = on_another_processor(form, "cpu", 600)
    assert share > 0.9
    assert second == pytest.approx(first, rel=0.02)


@pytest.mark.gpu
@pytest.mark.skipif("not torch.cuda.is_available()", reason="needs a CUDA device")
@pytest.mark.parametrize("form", FORMS)
def test_a_card_picks_as_this_processor_does(form):
    share, first, second = on_another_processor(form, "cuda", 2000)
    assert share > 0.8
    assert second == pytest.approx(first, rel=0.02)
    assert processor_in_use() is not HERE
