# SPDX-License-Identifier: Apache-2.0
"""Privacy of all mechanisms by transcript: every look at the rows is ``noised``, so watch that door.

A mechanism is run on rows A with the noise taken out and its transcript (sums, scales) recorded; then on rows
B while being fed A's answers. Two things must hold. If B is A with one row more or less, the looks differ by
at most 1/z in all: sum |difference|^2 / scale^2 <= 1/z^2 (adaptive composition of Gaussian mechanisms). And
for *any* B the output is the same as for A: it depends on the rows through the answers alone.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.mechanisms import cosine, histogram, lloyd
from tailweave.protocols.privacy.noise import SeededNoise

Z = 1.3
D = 3
SPACE = PublicSpace(np.array([1.0, -2.0, 0.5]), 2.0, seed=3)
COSINE = SlicedReference(kind="sliced", directions=12, coefficients=5)
HISTOGRAM = SlicedReference(kind="sliced", basis="histogram", directions=12, bins=6)
CLUSTERS = QuantizedReference(kind="quantized", clusters=6)
NOISE = SeededNoise(np.random.default_rng(0))
MECHANISMS = {
    "cosine": (cosine, lambda rows: cosine.privatise(rows, COSINE, SPACE, Z, noise=NOISE)),
    "histogram": (histogram, lambda rows: histogram.privatise(rows, HISTOGRAM, SPACE, Z, noise=NOISE)),
    "lloyd": (lloyd, lambda rows: lloyd.privatise(rows, CLUSTERS, SPACE, Z, noise=NOISE)),
}
RADIUS = 1.5 * np.sqrt(D) * SPACE.scale


def rows_of(seed, n=60):
    return SPACE.center + SPACE.scale * np.random.default_rng(seed).standard_normal((n, D))


def run(name, rows, answers=None):
    """Run a mechanism without noise: its output and its looks (sums, scale), all in feature units."""
    module, privatise = MECHANISMS[name]
    looks = []

    def watched(sums, scale, noise, step=cosine.GRID):
        looks.append((sums * step, scale))
        return (sums * step if answers is None else answers[len(looks) - 1][0]).copy()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "noised", watched)
        return privatise(rows), looks


def spent(name, rows, more):
    _, looks = run(name, rows)
    _, others = run(name, more, answers=looks)
    assert [(a.shape, s) for a, s in looks] == [(a.shape, s) for a, s in others]
    return sum(((a - b) ** 2).sum() / s**2 for (a, s), (b, _) in zip(looks, others, strict=True))


def parts(output):
    return [np.asarray(value) for value in vars(output).values()]


EXTREME = [
    SPACE.center,
    SPACE.center + RADIUS * np.array([1.0, 0.0, 0.0]),
    SPACE.center - 1e3 * np.array([1.0, 1.0, 1.0]),
    np.array([1e308, -1e308, 1e308]),
    np.array([1.7e308, 0.0, 0.0]),
    np.array([1.7e308, 1.7e308, 1.7e308]),
    np.array([-1.7e308, 1.7e308, -1.7e308]),
    np.array([5e-324, 0.0, 0.0]),
]


@pytest.mark.parametrize("name", MECHANISMS)
def test_one_row_more_or_less_costs_at_most_what_is_claimed(name):
    rows = rows_of(0)
    rng = np.random.default_rng(1)
    ordinary = SPACE.center + SPACE.scale * rng.standard_normal((60, D)) * 10.0 ** rng.uniform(-2, 4, (60, 1))
    costs = [spent(name, rows, np.vstack([rows, row])) for row in [*EXTREME, *ordinary]]
    costs += [spent(name, rows, np.delete(rows, i, axis=0)) for i in range(0, 60, 6)]
    assert max(costs) <= (1.0 + 1e-12) / Z**2
    # and no more is claimed than an absurd row can cost: the bound is reached within 2 %
    assert max(costs) >= 0.98 / Z**2


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(MECHANISMS)), st.lists(st.floats(-1e308, 1e308), min_size=D, max_size=D))
def test_no_finite_row_costs_more(name, row):
    rows = rows_of(2, n=30)
    assert spent(name, rows, np.vstack([rows, row])) <= (1.0 + 1e-12) / Z**2


@pytest.mark.parametrize("name", MECHANISMS)
def test_output_depends_on_rows_through_noised_looks_alone(name):
    output, looks = run(name, rows_of(4, n=900))
    again, _ = run(name, 5.0 * rows_of(5, n=5000), answers=looks)
    for a, b in zip(parts(output), parts(again), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MECHANISMS)
def test_sums_do_not_depend_on_the_order_of_rows(name):
    rows = rows_of(6)
    _, looks = run(name, rows)
    _, turned = run(name, rows[::-1], answers=looks)
    for (a, _), (b, _) in zip(looks, turned, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MECHANISMS)
def test_bad_rows_are_refused_by_column(name):
    rows = rows_of(7)
    rows[5, 2] = np.nan
    with pytest.raises(ValueError, match="column 2"):
        MECHANISMS[name][1](rows)
    with pytest.raises(ValueError, match="3 columns, got 2"):
        MECHANISMS[name][1](rows[:, :2])


@pytest.mark.parametrize("name", MECHANISMS)
def test_noise_makes_degenerate_rows_harmless(name):
    for rows in (np.tile(SPACE.center, (300, 1)), SPACE.center[None]):
        for part in parts(MECHANISMS[name][1](rows)):
            assert np.isfinite(part).all()
