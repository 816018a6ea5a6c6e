# SPDX-License-Identifier: Apache-2.0
"""The streaming rule: one pick however the stream is cut, and herding itself where one window holds all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.selection.herding import herding
from tailweave.clients.selection.streaming import (
    StreamingHerding,
    StreamingRule,
    Verdicts,
    streamed_herding,
)
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import cosine, sliced
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.references.sliced_residuals import float32_basis
from tailweave.protocols.streams import stream


def reference(dimension: int = 3, directions: int = 24, coefficients: int = 8) -> Sliced:
    points = stream(0, "points", dimension).normal(size=(300, dimension))
    space = PublicSpace(np.zeros(dimension), 1.0, 5)
    spec = SlicedReference(kind="sliced", directions=directions, coefficients=coefficients)
    summary = sliced.summarise(points, spec, space)
    return Sliced(summary.sums / summary.count, spec, space)


def candidates(count: int, dimension: int = 3, seed: int = 0) -> np.ndarray:
    return (1.5 * stream(seed, "candidates").normal(size=(count, dimension)) + 0.4).astype(np.float32)


def slow_stream(ref: Sliced, x: np.ndarray, rule: StreamingRule) -> tuple[np.ndarray, np.ndarray, float]:
    """The definition, read aloud: potential and pairwise distances of the reference itself; also margins."""
    h = ref.potential(x.astype(np.float64))
    pairs = ref.pairs(x.astype(np.float64))
    distance = np.stack([pairs.column(i) for i in range(len(x))]).astype(np.float64)
    picks: list[int] = []
    keep, scores, margin = np.zeros(len(x), dtype=bool), np.empty(len(x)), np.inf
    for begin in range(0, len(x), rule.window):
        window = range(begin, min(begin + rule.window, len(x)))

        def cost(i: int) -> float:
            return float(h[i] - distance[picks, i].sum() / (len(picks) + 1))

        while len(picks) < (window.stop * rule.keep) // rule.of:
            left = [i for i in window if not keep[i]]
            costs = sorted((cost(i), i) for i in left)
            if len(costs) > 1:
                margin = min(margin, (costs[1][0] - costs[0][0]) * (len(picks) + 1))
            best = costs[0][1]
            scores[best], keep[best] = -cost(best), True
            picks.append(best)
        for i in window:
            if not keep[i]:
                scores[i] = -cost(i)
    return keep, scores, margin


def test_decisions_and_scores_are_those_of_the_slow_loop():
    compared = 0
    for seed in range(20):
        rule = StreamingRule(*[(1, 4), (1, 3), (2, 5), (1, 1)][seed % 4], window=16)
        x = candidates(16 + 5 * seed, seed=seed)
        keep, scores, margin = slow_stream(reference(), x, rule)
        if margin < 1e-4:  # float32 distances: a tie within their error may go either way
            continue
        got = streamed_herding(reference(), x, rule)
        assert np.array_equal(got.keep, keep)
        # Columns of pairs are float32 (relative error 1e-5 of distances near 3), sums of them over m too.
        assert np.allclose(got.scores, scores, rtol=0, atol=3e-5)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("coefficients", [3, 8])
def test_a_window_that_holds_all_is_herding(coefficients):
    ref, x = reference(coefficients=coefficients), candidates(200)
    picked = herding(ref, x.astype(np.float64), 50)
    kept = streamed_herding(ref, x, StreamingRule(1, 4, 256)).keep
    assert sorted(picked.tolist()) == np.flatnonzero(kept).tolist()


@given(st.data(), st.integers(0, 150), st.integers(1, 9), st.integers(1, 9), st.sampled_from([16, 17, 64]))
@settings(max_examples=60, deadline=None)
def test_the_cut_into_batches_plays_no_part(data, count, one, other, window):
    rule = StreamingRule(min(one, other), max(one, other), window)
    x, ref = candidates(count, seed=count), reference()
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=12)))
    opened = StreamingHerding(ref, rule)
    parts = [opened.push(x[a:b]) for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    parts.append(opened.finish())
    at_once = streamed_herding(ref, x, rule)
    assert np.array_equal(np.concatenate([p.keep for p in parts]), at_once.keep)
    assert np.array_equal(np.concatenate([p.scores for p in parts]), at_once.scores)
    assert [p.start for p in parts] == np.cumsum([0] + [len(p.keep) for p in parts])[:-1].tolist()
    assert at_once.keep.sum() == count * rule.keep // rule.of


def test_a_window_answers_when_it_is_full_and_not_before():
    opened = StreamingHerding(reference(), StreamingRule(1, 2, 16))
    x = candidates(40)
    lengths = [len(opened.push(x[a : a + 10]).keep) for a in range(0, 40, 10)]
    assert lengths == [0, 16, 0, 16]
    assert len(opened.finish().keep) == 8
    assert (opened.seen, opened.picked) == (40, 20)


def test_shares_of_every_full_window_add_up():
    x = candidates(1000)
    kept = streamed_herding(reference(), x, StreamingRule(3, 10, 64)).keep
    ends = [*range(64, 1000, 64), 1000]
    assert [kept[:end].sum() for end in ends] == [3 * end // 10 for end in ends]


def test_a_mode_that_one_window_lacked_is_made_up_for():
    """Half of the reference is at +3; the first windows hold 1 in 16 of it, the later ones half."""
    points = np.concatenate([np.full((100, 1), -3.0), np.full((100, 1), 3.0)])
    points += 0.1 * stream(0, "jitter").normal(size=points.shape)
    space, spec = PublicSpace(np.zeros(1), 3.0, 0), SlicedReference(kind="sliced", directions=1)
    summary = sliced.summarise(points, spec, space)
    ref = Sliced(summary.sums / summary.count, spec, space)
    side = np.concatenate([np.arange(160) % 16 == 0, np.arange(320) % 2 == 0])
    x = np.where(side, 3.0, -3.0)[:, None] + 0.1 * stream(1, "jitter").normal(size=(480, 1))
    kept = streamed_herding(ref, x, StreamingRule(1, 4, 32)).keep
    assert side[:160][kept[:160]].mean() <= 0.26  # all 10 that there are, of 40 picks
    assert abs(side[kept].mean() - 0.5) < 0.02  # over the whole stream: 60 of 120


def test_memory_of_a_stream_does_not_grow():
    opened = StreamingHerding(reference(), StreamingRule(1, 4, 16))

    def held() -> int:
        return sum(a.nbytes for a in vars(opened).values() if isinstance(a, np.ndarray))

    before = held()
    for seed in range(30):
        opened.push(candidates(100, seed=seed))
    assert held() == before


def test_long_streams_stay_exact():
    """Scores after 20,000 picks, against sums over all of them in float64: the running sums do not drift."""
    ref, rule = reference(2, 16), StreamingRule(1, 2, 64)
    x = candidates(40_000, 2)
    opened = StreamingHerding(ref, rule)
    kept = opened.push(x[:39_936]).keep
    last = opened.push(x[39_936:])
    picked = x[:39_936][kept].astype(np.float64)
    window = x[39_936:].astype(np.float64)
    functions = cosine.basis(
        ref.space.project(np.concatenate([picked, window[last.keep]]), ref.space.directions(16), 4.0), 8
    )
    offsets = cosine.offsets(
        ref.space.project(np.concatenate([picked, window[last.keep]]), ref.space.directions(16), 4.0)
    )
    m = len(functions)
    picks = Sliced(functions.mean(axis=0), ref.spec, ref.space)
    dropped = window[~last.keep]
    own = cosine.mean_offset(picks.sketch)
    mean_distance = picks.potential(dropped) + ref.unit * (offsets.mean() - own)
    expected = mean_distance * m / (m + 1) - ref.potential(dropped)
    assert np.allclose(last.scores[~last.keep], expected, rtol=0, atol=1e-6)


def test_basis_in_float32():
    u = stream(0, "u").random((300, 16))
    u[:2] = [[0.0], [1.0]]
    for coefficients, error in ((8, 1e-6), (64, 1e-5), (1024, 1e-4)):
        exact = cosine.basis(u, coefficients).transpose(0, 2, 1).reshape(300, -1)
        assert np.abs(float32_basis(u, coefficients) - exact).max() < error


def test_nothing_pushed_is_nothing_decided():
    opened = StreamingHerding(reference(), StreamingRule(1, 2))
    for verdicts in (opened.push(np.empty((0, 3))), opened.finish()):
        assert isinstance(verdicts, Verdicts)
        assert (verdicts.start, len(verdicts.keep), len(verdicts.scores)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ((0, 1), "keep must be in 1..of and of at most 2147483648, got keep 0 of 1"),
        ((3, 2), "got keep 3 of 2"),
        ((1, 2**31 + 1), "of at most 2147483648"),
        ((1, 2, 15), r"window must be in 16..4096 candidates, got 15"),
        ((1, 2, 4097), r"got 4097"),
        ((1, 513), "a window of 512 must keep at least one candidate, got keep 1 of 513"),
    ],
)
def test_rules_out_of_range_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        StreamingRule(*rule)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((4, 2)), r"candidates must have shape \(n, 3\), got \(4, 2\)"),
        (np.zeros(3), r"got \(3,\)"),
        (np.array([[0.0, np.nan, 0.0]]), "must be finite, got nan in row 0, column 1"),
        (np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1e39]]), "must be finite, got inf in row 1, column 2"),
    ],
)
def test_batches_that_do_not_fit_are_refused_and_change_nothing(features, message):
    opened, x = StreamingHerding(reference(), StreamingRule(1, 2, 16)), candidates(40)
    first = opened.push(x[:20])
    with pytest.raises(ValueError, match=message):
        opened.push(features)
    kept = np.concatenate([first.keep, opened.push(x[20:]).keep, opened.finish().keep])
    assert np.array_equal(kept, streamed_herding(reference(), x, StreamingRule(1, 2, 16)).keep)


def test_a_histogram_is_refused():
    spec = SlicedReference(kind="sliced", basis="histogram", directions=4)
    ref = Sliced(np.full((4, 64), 1 / 64), spec, PublicSpace(np.zeros(2), 1.0, 0))
    with pytest.raises(ValueError, match="reference must be in basis cosine, got histogram"):
        StreamingHerding(ref, StreamingRule(1, 2))
