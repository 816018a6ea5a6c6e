# SPDX-License-Identifier: Apache-2.0
"""Diffusion of levels: forth by a closed form, back by the exact answer, and a rare level after training."""

import numpy as np
import pytest
from later import later

from tailweave.clients import generators
from tailweave.clients.generators.diffusion.levels import cross_entropy, earlier_levels, with_levels
from tailweave.clients.samples import Samples
from tailweave.clients.sorts import Block
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.kinds.columns.levels import Category
from tailweave.protocols.kinds.columns.numbers import Number
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec
from tailweave.protocols.streams import stream

torch = later("torch")
BLOCKS = (Block(0, 3, UNIT, whole=True), Block(4, 5, 1.0, whole=False))
CHANCES = np.array([0.79, 0.2, 0.01, 0.0, 0.03])
"""Of the levels of a category, then of a missing number; between them a number."""
N = 40_000
ALARM = 6.0
"""Standard errors allowed: two-sided 2e-9 each."""


def near(found, wanted, count=N):
    error = np.sqrt(np.maximum(wanted * (1 - wanted), 1e-12) / count)
    np.testing.assert_array_less(np.abs(np.asarray(found) - wanted), ALARM * error + 1e-9)


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kept", [0.0, 0.3, 1.0])
def test_forth_a_level_stays_or_is_drawn_anew(kept):
    clean = torch.tensor([0.0, 1.0, 0.0, 7.0, 1.0]).repeat(N, 1)
    found = with_levels(noise(N, 5), clean, torch.full((N,), kept), BLOCKS).numpy()
    anew = (1 - kept) / 3
    near(found[:, :3].mean(axis=0), np.array([anew, kept + anew, anew]))
    near(found[:, 4].mean(), kept + (1 - kept) / 2)
    assert set(found[:, :3].sum(axis=1)) == {1.0}
    assert set(found[:, 4]) <= {0.0, 1.0}


def exact_logits(rows, kept):
    """What the best network says of rows: Bayes' rule with the true chances of the levels."""
    said = torch.zeros_like(rows)
    for start, stop, chances in ((0, 3, CHANCES[:3]), (4, 5, np.array([CHANCES[4], 1 - CHANCES[4]]))):
        part = rows[:, start:stop]
        if stop - start == 1:
            part = torch.cat([part, 1 - part], dim=1)
        posterior = torch.tensor(chances) * (kept * part + (1 - kept) / len(chances))
        logs = posterior.log()
        said[:, start:stop] = (logs - logs[:, -1:] if stop - start == 1 else logs)[:, : stop - start]
    return said


@pytest.mark.parametrize("signal", [(1e-6, 0.2, 0.5, 0.9, 1.0), (1e-6, 1.0), tuple(np.linspace(1e-6, 1, 30))])
def test_back_with_the_exact_answer_every_level_has_its_chance_in_few_steps_or_many(signal):
    source = torch.Generator().manual_seed(2)
    rows = with_levels(torch.randn(N, 5, generator=source), torch.zeros(N, 5), torch.zeros(N), BLOCKS)
    rows[:, 3] = 7.0
    for now, before in zip(signal, signal[1:], strict=False):
        draws = torch.randn(N, 2, generator=source)
        rows = earlier_levels(rows, exact_logits(rows, now), (now, before), draws, BLOCKS)
    near(rows[:, [0, 1, 2, 4]].mean(dim=0), CHANCES[[0, 1, 2, 4]])
    assert (rows[:, 3] == 7.0).all()


def test_cross_entropy_is_that_of_a_slow_sum():
    logits, clean = noise(4, 5), torch.tensor([[1, 0, 0, 9, 1], [0, 0, 1, 9, 0.0]]).repeat(2, 1)
    said = logits.numpy()
    whole = np.exp(said[:, :3]) / np.exp(said[:, :3]).sum(axis=1, keepdims=True)
    lacks = 1 / (1 + np.exp(-said[:, 4]))
    losses = [
        (
            -np.log(whole[i, 0] if clean[i, 0] else whole[i, 2]),
            -np.log(lacks[i] if clean[i, 4] else 1 - lacks[i]),
        )
        for i in range(4)
    ]
    assert float(cross_entropy(logits, clean, BLOCKS)) == pytest.approx(np.mean(losses), rel=1e-5)


SORT = Table.of(
    {
        "kind": Category(kind="category", values=("usual", "other", "rare")),
        "dose": Number(kind="number", optional=True),
    }
)
SPEC = DiffusionSpec(
    kind="diffusion",
    network=MlpSpec(hidden=32, layers=1),
    device="cpu",
    first_epochs=40,
    epochs=1,
    batch_size=200,
    sampling_batch=400,
)


@pytest.fixture(scope="module")
def fitted():
    """2 % are rare, at dose 6; a tenth of the others lack the dose."""
    rng = stream(0, "levels")
    kind = rng.choice(3, 3000, p=[0.7, 0.28, 0.02])
    lacks = (rng.random(3000) < 0.1) & (kind != 2)
    values = np.zeros((3000, 5))
    values[np.arange(3000), kind] = UNIT
    values[:, 3], values[:, 4] = np.where(lacks, 0.0, rng.normal(np.where(kind == 2, 6.0, 2.0), 0.5)), lacks
    real = Samples.of(values, sort=SORT)
    return real, generators.fit(SPEC, real, rng=stream(0, "fit"))


def test_a_trained_model_draws_a_rare_level_with_its_dose(fitted):
    real, model = fitted
    drawn = model.sample(4000, rng=stream(1, "draw")).values
    share, wanted = ((rows[:, 2] > 0).mean() for rows in (drawn, real.values))
    assert 0.4 < share / wanted < 2.0  # training is short; without diffusion of levels it was .0 to .2
    rare = drawn[drawn[:, 2] > 0]
    assert np.median(rare[:, 3]) > 3.0  # of the others it is 2, and so it were for any row
    assert abs((drawn[:, 4] > 0).mean() - (real.values[:, 4] > 0).mean()) < 0.05


def test_draws_repeat_do_not_hang_on_batches_and_come_back_from_arrays(fitted):
    _, model = fitted
    one = model.sample(800, rng=stream(2, "draw")).values  # batches of a multiple of 16 numbers: torch's unit
    read = generators.from_arrays(SPEC, model.arrays(), SORT)
    assert read.sample(800, rng=stream(2, "draw")).values.tobytes() == one.tobytes()
    batched = generators.from_arrays(SPEC.model_copy(update={"sampling_batch": 160}), model.arrays(), SORT)
    other = batched.sample(800, rng=stream(2, "draw")).values
    assert (one[:, :3] == other[:, :3]).mean() > 0.99  # products of other batches differ by last bits
    np.testing.assert_array_equal(model.offset[[0, 1, 2, 4]], 0.0)
    np.testing.assert_array_equal(model.scale[[0, 1, 2, 4]], [UNIT, UNIT, UNIT, 1.0])


def test_the_next_generation_goes_on_and_a_table_without_numbers_will_do(fitted):
    real, model = fitted
    more = generators.fit(SPEC, real.take(np.arange(300)), rng=stream(3, "fit"), previous=model)
    assert len(more.sample(10, rng=stream(3, "draw"))) == 10
    sort = Table.of({"kind": Category(kind="category", values=("a", "b"))})
    levels = Samples.of(UNIT * np.eye(2)[[0, 1, 1, 0]], sort=sort)
    drawn = generators.fit(SPEC, levels, rng=stream(4, "fit")).sample(50, rng=stream(4, "draw")).values
    assert set(drawn.sum(axis=1)) == {UNIT}
