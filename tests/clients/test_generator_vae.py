# SPDX-License-Identifier: Apache-2.0
"""The autoencoder: its bound against a slow one, what it learns, repeats, resumption, and bad input."""

import math

import numpy as np
import pytest
from later import later
from pydantic import ValidationError

from tailweave.clients import generators
from tailweave.clients.generators import Course
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.vae import Vae
from tailweave.clients.generators.vae.model import _Bound, _network
from tailweave.clients.generators.vae.network import decoded, encoded
from tailweave.clients.neural.device import Place
from tailweave.clients.samples import Images, Samples, unnamed
from tailweave.protocols.kinds.generators.vae import VaeSpec
from tailweave.protocols.streams import stream

torch = later("torch")
TINY = {"kind": "vae", "latent": 2, "channels": (4,), "first_epochs": 3, "epochs": 2, "device": "cpu"}
SHAPE = (1, 4, 4)


def spec_of(**options) -> VaeSpec:
    return VaeSpec(**(TINY | options))


def bars(count: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> Samples:
    """Images whose upper half is bright (a quarter of them) or whose lower half is, with a little noise."""
    rng = stream(seed, "bars")
    _, height, width = shape
    upper = rng.random(count) < 0.25
    rows = np.full((count, height, width), 0.1)
    rows[upper, : height // 2] = 0.9
    rows[~upper, height // 2 :] = 0.9
    rows += rng.uniform(-0.05, 0.05, size=rows.shape)
    return Samples.of(rows.reshape(count, -1), sort=Images(unnamed(height * width), shape=shape))


def fitted(samples: Samples | None = None, seed: int = 0, **options) -> Vae:
    return Vae.fit(spec_of(**options), samples or bars(40), rng=stream(seed, "fit"))


def same(one: Vae, two: Vae) -> bool:
    first, second = one.arrays(), two.arrays()
    return first.keys() == second.keys() and all(np.array_equal(first[n], second[n]) for n in first)


def test_the_loss_is_the_evidence_bound_a_pixel():
    spec, samples = spec_of(kl_weight=0.7), bars(6)
    network = _network(spec, SHAPE, "cpu")
    rows = torch.from_numpy(samples.values.astype(np.float32))
    found = _Bound(network, spec, SHAPE, Place("cpu", bfloat16=False))(
        rows, torch.Generator().manual_seed(5)
    ).item()
    noise = torch.randn(6, 2, generator=torch.Generator().manual_seed(5))
    total = 0.0
    for row, draw in zip(rows, noise, strict=True):  # one image after another, each sum written out
        mean, log_variance = (part[0].tolist() for part in encoded(network, row.reshape(1, *SHAPE)))
        code = [m + math.exp(v / 2) * z for m, v, z in zip(mean, log_variance, draw.tolist(), strict=True)]
        logits = decoded(network, torch.tensor([code]), SHAPE).flatten().tolist()
        chances = [1 / (1 + math.exp(-logit)) for logit in logits]
        total -= sum(
            x * math.log(p) + (1 - x) * math.log(1 - p) for x, p in zip(row.tolist(), chances, strict=True)
        )
        total += 0.7 * sum((m * m + math.exp(v) - 1 - v) / 2 for m, v in zip(mean, log_variance, strict=True))
    assert found == pytest.approx(total / 6 / 16, rel=1e-4)  # float32


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 7, 5), (1, 28, 28)])
def test_an_image_comes_back_in_its_own_size(shape):
    spec = spec_of(channels=(4, 8))
    network = _network(spec, shape, "cpu")
    mean, spread = encoded(network, torch.zeros(3, *shape))
    assert mean.shape == spread.shape == (3, 2)
    assert decoded(network, mean, shape).shape == (3, *shape)


def test_it_learns_both_kinds_with_their_shares():
    model = fitted(bars(200), first_epochs=40, learning_rate=2e-2, channels=(8,), batch_size=50)
    rows = model.sample(600, rng=stream(0, "sample")).values.reshape(-1, 4, 4)
    assert 0.0 <= rows.min() <= rows.max() <= 1.0
    upper, lower = rows[:, :2].mean(axis=(1, 2)), rows[:, 2:].mean(axis=(1, 2))
    assert (np.abs(upper - lower) > 0.4).mean() > 0.7  # codes between the two draw something between
    assert (upper > lower).mean() == pytest.approx(0.25, abs=0.12)


def test_codes_of_a_mixture_draw_what_is_there_and_nothing_between():
    """The same autoencoder: drawn from the prior, a third of them is something between the two kinds."""
    options = {"first_epochs": 40, "learning_rate": 2e-2, "channels": (8,), "batch_size": 50}
    model = fitted(bars(200), components=2, **options)
    rows = model.sample(600, rng=stream(0, "sample")).values.reshape(-1, 4, 4)
    upper, lower = rows[:, :2].mean(axis=(1, 2)), rows[:, 2:].mean(axis=(1, 2))
    assert (np.abs(upper - lower) > 0.4).mean() > 0.95
    assert (upper > lower).mean() == pytest.approx(0.25, abs=0.1)
    again = generators.from_arrays(model.spec, model.arrays())
    assert np.array_equal(
        again.sample(5, rng=stream(1, "s")).values, model.sample(5, rng=stream(1, "s")).values
    )
    assert len(fitted(bars(3), components=10).codes.weights) == 3


@pytest.mark.parametrize(("made", "read"), [(2, None), (None, 2)])
def test_a_mixture_of_codes_is_there_if_asked_for(made, read):
    parts = fitted(components=made).arrays()
    with pytest.raises(ValueError, match=f"its codes from a mixture, components is {read}"):
        generators.from_arrays(spec_of(components=read), parts)


def test_a_fit_and_a_draw_repeat_and_touch_no_global_stream():
    one, before = fitted(seed=3), torch.random.get_rng_state()
    torch.manual_seed(99)
    assert same(one, fitted(seed=3))
    assert not same(one, fitted(seed=4))
    assert np.array_equal(*(one.sample(7, rng=stream(0, "sample")).values for _ in range(2)))
    torch.random.set_rng_state(before)


def test_the_next_generation_goes_on_from_the_model_or_begins_anew():
    model = fitted(bars(100), first_epochs=20)
    spec = model.spec.model_copy(update={"learning_rate": 1e-12, "epochs": 1})
    still = generators.fit(spec, bars(50, 1), rng=stream(1, "fit"), previous=model)
    for name, tensor in model.weights.items():
        np.testing.assert_allclose(still.weights[name], tensor, atol=1e-6)
    cold = spec.model_copy(update={"warm_start": False})
    anew = generators.fit(cold, bars(50, 1), rng=stream(1, "fit"), previous=model)
    assert not np.allclose(anew.weights["inlet.weight"], model.weights["inlet.weight"], atol=1e-3)


def test_arrays_and_back_draw_the_same_images():
    model = fitted()
    drawn = model.sample(9, rng=stream(0, "sample"))
    assert drawn.image == SHAPE
    for parts in (model.arrays(), {n: a.astype(np.float64) for n, a in model.arrays().items()}):
        again = generators.from_arrays(model.spec, parts)
        assert isinstance(again, Vae)
        assert same(model, again)
        assert np.array_equal(again.sample(9, rng=stream(0, "sample")).values, drawn.values)


class KilledError(Exception):
    pass


def test_a_killed_training_goes_on_where_it_was_kept(tmp_path):
    spec, path = spec_of(batch_size=20, first_epochs=4), tmp_path / "training.safetensors"
    whole, steps = Vae.fit(spec, bars(40), rng=stream(0, "fit")), []

    def die(done: int, total: int) -> None:
        if done == 5:
            raise KilledError

    with pytest.raises(KilledError):
        Vae.fit(spec, bars(40), rng=stream(0, "fit"), course=Course(die, path, keep_seconds=0.0))
    again = Course(lambda done, total: steps.append((done, total)), path, keep_seconds=0.0)
    assert same(Vae.fit(spec, bars(40), rng=stream(0, "fit"), course=again), whole)
    assert steps == [(i, 8) for i in (5, 6, 7, 8)]
    assert not path.exists()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (Samples.of(np.zeros((5, 16))), "generator vae is for images, got a table of 16 columns"),
        (Samples.of(np.full((2, 16), 1.5), sort=bars(1).sort), r"lie in \[0, 1\], got 1.5 to 1.5"),
    ],
)
def test_what_is_no_image_is_refused(samples, message):
    with pytest.raises(ValueError, match=message):
        fitted(samples)


def test_another_model_and_other_images_are_not_gone_on_from():
    gaussian = Gaussian(np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="an autoencoder cannot go on from a Gaussian"):
        generators.fit(spec_of(), bars(5), rng=stream(0, "fit"), previous=gaussian)
    with pytest.raises(ValueError, match=r"training images must be \(1, 4, 4\), got \(1, 6, 4\)"):
        Vae.fit(spec_of(), bars(5, shape=(1, 6, 4)), rng=stream(0, "fit"), previous=fitted())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts.pop("image"), "lacks array image"),
        (lambda parts: parts.update(image=np.array([1.0, 4.5, 4.0])), "image must be three whole numbers"),
        (lambda parts: parts.update(image=np.array([1.0, 8.0, 4.0])), "weights code.weight must have shape"),
        (lambda parts: parts.pop("weights/inlet.bias"), "missing .'inlet.bias'"),
        (lambda parts: parts.update({"weights/more": np.zeros(1)}), "unknown .'more'"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(change, message):
    parts = fitted().arrays()
    change(parts)
    with pytest.raises(ValueError, match=message):
        generators.from_arrays(spec_of(), parts)
    with pytest.raises(ValueError, match=r"autoencoder's images are \(1, 4, 4\), the data's \(1, 2, 8\)"):
        generators.from_arrays(spec_of(), fitted().arrays(), Images(unnamed(16), shape=(1, 2, 8)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent": 0}, "greater than or equal to 1"),
        ({"channels": ()}, "at least 1 item"),
        ({"kl-weight": 0}, "greater than 0"),
        ({"first-epochs": 0}, "greater than or equal to 1"),
        ({"base": "a/b"}, "Extra inputs"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        VaeSpec.model_validate({"kind": "vae", **options})


@pytest.mark.gpu
@pytest.mark.skipif("not torch.cuda.is_available()", reason="needs a CUDA device")
def test_cpu_and_cuda_agree():
    """Both see the same draws; float32 sums differ in order, 30 steps of AdamW blow that up to about 1e-3."""
    models = [
        fitted(bars(100), device=device, precision="float32", first_epochs=30) for device in ("cpu", "cuda")
    ]
    drawn = [model.sample(64, rng=stream(0, "sample")).values for model in models]
    assert np.abs(drawn[0] - drawn[1]).mean() < 5e-3
