# SPDX-License-Identifier: Apache-2.0
"""Gaussians over encoded tables: rare levels come back at their share, with what they go with."""

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.levels import draw_levels
from tailweave.clients.samples import Samples
from tailweave.clients.sorts import Block
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.kinds.columns.levels import Category
from tailweave.protocols.kinds.columns.numbers import Number
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.streams import stream

SORT = Table.of(
    {
        "kind": Category(kind="category", values=("usual", "other", "rare")),
        "site": Category(kind="category", values=("a", "b"), optional=True),
        "dose": Number(kind="number", optional=True),
    }
)
N, DRAWN = 4000, 20_000
SPECS = [GaussianSpec(kind="gaussian"), GaussianMixtureSpec(kind="gaussian-mixture", components=3)]


def rows():
    """1 % are rare; those are of site b, at dose 6, which lacks in a third of all others."""
    rng = stream(0, "levels")
    kind = rng.choice(3, N, p=[0.7, 0.29, 0.01])
    site = np.where(kind == 2, 1, rng.choice(3, N, p=[0.6, 0.35, 0.05]))
    lacks = (rng.random(N) < 1 / 3) & (kind != 2)
    dose = np.where(lacks, 0.0, rng.normal(np.where(kind == 2, 6.0, 2.0), 0.5))
    values = np.zeros((N, 8))
    values[np.arange(N), kind] = values[np.arange(N), 3 + site] = UNIT
    values[:, 6], values[:, 7] = dose, lacks
    return Samples.of(values, sort=SORT)


@pytest.fixture(scope="module")
def real():
    return rows()


@pytest.fixture(scope="module", params=SPECS, ids=lambda spec: spec.kind)
def drawn(request, real):
    model = generators.fit(request.param, real, rng=stream(0, "fit"))
    return model.sample(DRAWN, rng=stream(0, "draw"))


def shares(samples):
    return (samples.values > 0)[:, [0, 1, 2, 3, 4, 5, 7]].mean(axis=0)


def test_each_level_comes_back_at_its_share(real, drawn):
    """Six standard errors of the draws: a false alarm in 5e8 runs."""
    share = shares(real)
    error = np.sqrt(share * (1 - share) / DRAWN)
    assert (np.abs(shares(drawn) - share) < 6 * error).all(), (shares(drawn), share)


def test_the_nearest_level_of_a_plain_draw_is_never_the_rare_one(real):
    """Why levels are drawn: the same Gaussian, settled."""
    model = generators.fit(SPECS[0], real, rng=stream(0, "fit"))
    noise = stream(0, "plain").standard_normal((DRAWN, 8))
    plain = SORT.settled(model.mean + noise @ np.linalg.cholesky(model.covariance).T)
    assert (plain[:, 2] > 0).sum() == 0


def test_a_rare_level_keeps_its_site_and_its_dose(real, drawn):
    rare = drawn.values[drawn.values[:, 2] > 0]
    assert (rare[:, 4] > 0).mean() > 0.9  # a linear model of probabilities; by the shares alone it were .36
    there = rare[:, 7] == 0
    assert abs(rare[there, 6].mean() - 6.0) < 0.5
    usual = drawn.values[(drawn.values[:, 0] > 0) & (drawn.values[:, 7] == 0)]
    assert abs(usual[:, 6].mean() - 2.0) < 0.1  # not drawn to 0, where the missing stand


def test_levels_go_together_however_few_rows_are_drawn():
    """Two even blocks, always alike: raked one by one, rows would be alike half the time."""
    sign = np.array([1, -1, 1, -1]) * UNIT / 2
    covariance = np.outer(sign, sign) + 1e-6 * np.eye(4)
    blocks = (Block(0, 2, UNIT, whole=True), Block(2, 4, UNIT, whole=True))
    mean = np.full(4, UNIT / 2)
    rows = [draw_levels(mean, covariance, blocks, 1, rng=stream(at, "one"))[0] for at in range(100)]
    assert sum((row[0] > 0) == (row[2] > 0) for row in rows) > 95
    assert 20 < sum(row[0] > 0 for row in rows) < 80


def test_covariances_of_levels_and_numbers_are_those_of_the_gaussian():
    """Two even blocks and a number, where nothing is clipped: six standard errors, about."""
    mean = np.array([0.5, 0.5, 0.5, 0.5, 1.0]) * np.array([UNIT] * 4 + [1.0])
    covariance = np.diag([1e-6] * 5)
    sign = np.array([1, -1, 1, -1, 0.0]) * UNIT / 2
    half = np.array([1, -1, 0, 0, 0.0]) * UNIT / 2
    other = np.array([0, 0, 1, -1, 0.0]) * UNIT / 2
    number = np.array([0.2, -0.2, 0, 0, 1.0])
    covariance += 0.3 * np.outer(sign, sign) + 0.7 * (np.outer(half, half) + np.outer(other, other))
    covariance += np.outer(number, number) - np.outer(number * [1, 1, 0, 0, 0], number * [1, 1, 0, 0, 0])
    blocks = (Block(0, 2, UNIT, whole=True), Block(2, 4, UNIT, whole=True))
    found = draw_levels(mean, covariance, blocks, 50_000, rng=stream(0, "moments"))
    np.testing.assert_allclose(found.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(found.T), covariance, atol=0.03)


def test_the_same_stream_gives_the_same_bytes_and_one_row_can_be_drawn(real):
    model = generators.fit(SPECS[1], real, rng=stream(0, "fit"))
    one, other = (model.sample(50, rng=stream(1, "draw")).values for _ in range(2))
    assert one.tobytes() == other.tobytes()
    assert len(model.sample(1, rng=stream(2, "draw"))) == 1
    read = generators.from_arrays(SPECS[1], model.arrays(), SORT)
    assert read.sample(50, rng=stream(1, "draw")).values.tobytes() == one.tobytes()


def test_a_model_of_another_table_is_refused_where_it_has_no_level():
    with pytest.raises(
        ValueError, match="positive for some level of columns 0 to 2: it was fitted on another"
    ):
        Gaussian(np.full(8, -1.0), np.eye(8), SORT).sample(3, rng=stream(0, "draw"))
