# SPDX-License-Identifier: Apache-2.0
"""The diffusion generator: drawing against a closed form, training, repeats, warm starts, the wire."""

from types import SimpleNamespace

import numpy as np
import pytest
from later import later

from tailweave.clients import generators
from tailweave.clients.generators import Course
from tailweave.clients.generators.diffusion import Diffusion
from tailweave.clients.generators.diffusion.architecture import Architecture, architecture_of
from tailweave.clients.generators.diffusion.denoiser import Denoiser
from tailweave.clients.generators.diffusion.sampling import Sampling, draw
from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.neural.descent import TrainingError
from tailweave.clients.neural.device import Place, place_of, torch_stream
from tailweave.clients.samples import Samples
from tailweave.clients.storage import StorageError
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec, UnetSpec
from tailweave.protocols.streams import stream

torch = later("torch")
CPU = Place("cpu", bfloat16=False)
TINY = {
    "kind": "diffusion",
    "network": MlpSpec(hidden=16, layers=1),
    "device": "cpu",
    "first_epochs": 3,
    "epochs": 2,
}
TINY_UNET = UnetSpec(kind="unet", shape=(1, 4, 4), channels=(8, 8), groups=4, attention=(False, True))
ALARM = 6.0
"""Standard errors allowed: two-sided 2e-9 each."""


def spec_of(**options) -> DiffusionSpec:
    return DiffusionSpec(**(TINY | options))


def two_modes(count: int, seed: int = 0) -> np.ndarray:
    """Modes of a quarter and three quarters, at -3 and 3, each with spread 0.3."""
    rng = stream(seed, "two-modes")
    side = np.where(rng.random(count) < 0.25, -3.0, 3.0)
    return side[:, None] + rng.normal(scale=0.3, size=(count, 2))


def fitted(rows: np.ndarray | None = None, seed: int = 0, **options) -> Diffusion:
    return Diffusion.fit(
        spec_of(**options), Samples.of(two_modes(60) if rows is None else rows), rng=stream(seed, "fit")
    )


def same(one: Diffusion, two: Diffusion) -> bool:
    first, second = one.arrays(), two.arrays()
    return first.keys() == second.keys() and all(np.array_equal(first[n], second[n]) for n in first)


def exact_network(kind: str, mean: float, spread: float, kept):
    """The best possible prediction for rows of N(mean, spread^2), by Gaussian conditioning."""

    class Exact(torch.nn.Module):
        def forward(self, noisy, level) -> SimpleNamespace:
            a = kept[level].reshape(-1, *([1] * (noisy.ndim - 1)))
            innovation = (noisy - a.sqrt() * mean) / (a * spread**2 + 1 - a)
            noise = (1 - a).sqrt() * innovation
            clean = mean + a.sqrt() * spread**2 * innovation
            return SimpleNamespace(
                sample=noise if kind == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * clean
            )

    return Exact()


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
@pytest.mark.parametrize("predict", ["noise", "velocity"])
def test_drawing_from_the_exact_denoiser_gives_the_truth(schedule, predict):
    spec = spec_of(network=UnetSpec(kind="unet", shape=(1, 2, 2), channels=(8,)), noise_schedule=schedule)
    spec = spec.model_copy(update={"steps": 200, "predict": predict})
    architecture = architecture_of(spec, 4)
    blank = Denoiser(architecture, torch.nn.Identity()).scheduler(clip=False)
    kind = "epsilon" if predict == "noise" else "v_prediction"
    exact = Denoiser(architecture, exact_network(kind, 1.5, 0.4, blank.alphas_cumprod))
    rows = draw(exact, 4000, Sampling(100, 1500, clip=False, place=CPU), rng=stream(0, "draw"))
    assert rows.shape == (4000, 4)
    # DDIM is an ODE solver of first order: 100 steps leave an error of the order of 1 % of the spread.
    assert np.abs(rows.mean(axis=0) - 1.5).max() < ALARM * 0.4 / np.sqrt(4000) + 0.02
    assert np.abs(rows.std(axis=0) - 0.4).max() < ALARM * 0.4 / np.sqrt(8000) + 0.02


def test_drawing_does_not_depend_on_the_batches():
    spec = spec_of(network=UnetSpec(kind="unet", shape=(1, 2, 2), channels=(8,)))
    architecture = architecture_of(spec, 4)
    kept = Denoiser(architecture, torch.nn.Identity()).scheduler(clip=False).alphas_cumprod
    exact = Denoiser(architecture, exact_network("v_prediction", 0.0, 1.0, kept))
    # torch draws in blocks of 16 numbers, so batches of 4 rows of 4 continue one another.
    hows = [Sampling(5, batch, clip=False, place=CPU) for batch in (4, 32)]
    many, one = (draw(exact, 32, how, rng=stream(1, "draw")) for how in hows)
    np.testing.assert_allclose(many, one, atol=1e-5)


def test_training_finds_both_modes_with_their_shares():
    model = fitted(two_modes(400), network=MlpSpec(hidden=32, layers=1), first_epochs=100, learning_rate=1e-2)
    rows = model.sample(1000, rng=stream(0, "sample")).values
    near = [np.abs(rows - center).max(axis=1) < 1.2 for center in (-3.0, 3.0)]
    assert (near[0] | near[1]).mean() > 0.9
    assert near[0].mean() == pytest.approx(0.25, abs=0.08)
    assert rows[near[1]].mean() == pytest.approx(3.0, abs=0.1)


def test_a_fit_depends_on_rows_options_and_its_stream_only():
    one = fitted(seed=3)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    assert same(one, fitted(seed=3))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not same(one, fitted(seed=4))
    drawn = [one.sample(7, rng=stream(0, "sample")).values for _ in range(2)]
    assert np.array_equal(*drawn)


def test_a_fit_does_not_depend_on_the_number_of_threads():
    models, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            models.append(fitted(two_modes(300), network=MlpSpec(hidden=256, layers=1), batch_size=300))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert same(*models)


def test_the_next_generation_goes_on_from_the_previous_model():
    model = fitted(two_modes(300), first_epochs=40)
    spec = model.spec.model_copy(update={"learning_rate": 1e-12, "epochs": 1})
    other = np.full((50, 2), 7.0) + two_modes(50)
    still = generators.fit(spec, Samples.of(other), rng=stream(1, "fit"), previous=model)
    for name, tensor in model.weights.items():
        np.testing.assert_allclose(still.weights[name], tensor, atol=1e-6)
    assert np.array_equal(still.offset, model.offset), "the scale stays what the first generation made it"
    cold = spec.model_copy(update={"warm_start": False})
    anew = generators.fit(cold, Samples.of(other), rng=stream(1, "fit"), previous=model)
    assert not np.allclose(anew.weights["inlet.weight"], model.weights["inlet.weight"], atol=1e-3)


def test_a_warm_start_trains_for_its_own_number_of_epochs():
    steps = []
    course = Course(tell=lambda done, total: steps.append((done, total)))
    rows, spec = two_modes(60), spec_of(batch_size=25, first_epochs=4, epochs=2)
    model = Diffusion.fit(spec, Samples.of(rows), rng=stream(0, "fit"), course=course)
    assert steps == [(i, 12) for i in range(1, 13)]
    steps.clear()
    Diffusion.fit(spec, Samples.of(rows), rng=stream(1, "fit"), previous=model, course=course)
    assert steps == [(i, 6) for i in range(1, 7)]


def test_the_averaged_weights_lag_behind_the_last_ones():
    fast, slow = (fitted(ema_decay=decay, first_epochs=20) for decay in (0.0, 0.999))
    start = fitted(first_epochs=1, learning_rate=1e-12)
    moved = [
        np.abs(m.weights["outlet.1.weight"] - start.weights["outlet.1.weight"]).mean() for m in (fast, slow)
    ]
    assert 0 < moved[1] < moved[0]


@pytest.mark.parametrize("network", [MlpSpec(hidden=16, layers=1), TINY_UNET])
def test_arrays_and_back_draw_the_same_rows(network):
    rows = stream(0, "rows").random((20, 16))
    model = fitted(rows, network=network, value_range=(0.0, 1.0), first_epochs=1)
    drawn = model.sample(9, rng=stream(0, "sample")).values
    assert drawn.shape == (9, 16)
    assert 0.0 <= drawn.min() <= drawn.max() <= 1.0
    for parts in (model.arrays(), {n: a.astype(np.float64) for n, a in model.arrays().items()}):
        again = generators.from_arrays(model.spec, parts)
        assert isinstance(again, Diffusion)
        assert same(model, again)
        assert np.array_equal(again.sample(9, rng=stream(0, "sample")).values, drawn)
    weights = [part for name, part in model.arrays().items() if name.startswith("weights/")]
    assert {part.dtype for part in weights} == {np.dtype(np.float32)}
    assert model.parameters == sum(p.numel() for p in model.architecture.build("cpu").parameters())


def test_an_images_range_is_the_networks_unit_interval():
    for options, offset, scale in (({}, 0.5, 0.5), ({"value_range": (2.0, 6.0)}, 4.0, 2.0)):
        rows = np.full((2, 16), offset)
        model = fitted(rows, network=TINY_UNET, first_epochs=1, **options)
        assert set(model.offset) == {offset}
        assert set(model.scale) == {scale}


def test_rows_are_scaled_to_mean_zero_and_spread_one():
    rows = two_modes(500)
    model = fitted(rows, first_epochs=1)
    scaled = (rows - model.offset) / model.scale
    np.testing.assert_allclose(scaled.mean(axis=0), 0.0, atol=1e-12)
    assert (scaled**2).mean() == pytest.approx(1.0)
    assert fitted(np.ones((4, 2)), first_epochs=1).scale.tolist() == [1.0, 1.0]


class KilledError(Exception):
    pass


def die_at(step: int):
    def tell(done: int, total: int) -> None:
        if done == step:
            raise KilledError

    return tell


@pytest.mark.parametrize("step", [1, 4, 10, 11])
def test_a_killed_training_goes_on_where_it_was_kept(tmp_path, step):
    rows, spec, path = (
        two_modes(60),
        spec_of(batch_size=20, first_epochs=4),
        tmp_path / "training.safetensors",
    )
    whole = Diffusion.fit(spec, Samples.of(rows), rng=stream(0, "fit"))
    with pytest.raises(KilledError):
        Diffusion.fit(
            spec, Samples.of(rows), rng=stream(0, "fit"), course=Course(die_at(step), path, keep_seconds=0.0)
        )
    kept = (step - 1) // 3
    assert path.exists() == (kept > 0)
    steps: list[int] = []
    again = Course(lambda done, total: steps.append(done), path, keep_seconds=0.0)
    assert same(Diffusion.fit(spec, Samples.of(rows), rng=stream(0, "fit"), course=again), whole)
    assert steps == list(range(3 * kept + 1, 13)), "epochs that were kept are not trained again"
    assert not path.exists()


@pytest.mark.parametrize("change", [{"learning_rate": 0.5}, {"rows": 1}, {"stream": 1}])
def test_what_another_training_kept_is_not_used(tmp_path, change):
    spec, path = spec_of(batch_size=20, first_epochs=4), tmp_path / "training.safetensors"
    course = Course(die_at(11), path, keep_seconds=0.0)
    with pytest.raises(KilledError):
        Diffusion.fit(spec, Samples.of(two_modes(60)), rng=stream(0, "fit"), course=course)
    other = spec.model_copy(update={k: v for k, v in change.items() if k == "learning_rate"})
    rows, rng = two_modes(60, change.get("rows", 0)), stream(change.get("stream", 0), "fit")
    found = Diffusion.fit(other, Samples.of(rows), rng=rng, course=Course(unfinished=path))
    assert same(found, Diffusion.fit(other, Samples.of(rows), rng=stream(change.get("stream", 0), "fit")))


def test_a_broken_unfinished_state_is_refused_by_name(tmp_path):
    path = tmp_path / "training.safetensors"
    path.write_bytes(b"\x08\0\0\0\0\0\0\0not json")
    course = Course(unfinished=path)
    with pytest.raises(StorageError, match="training.safetensors: cannot be read back .*delete it"):
        Diffusion.fit(spec_of(), Samples.of(two_modes(30)), rng=stream(0, "fit"), course=course)


def test_a_loss_that_is_not_finite_stops_the_training():
    with pytest.raises(
        TrainingError, match=r"astray at step \d+ of 9: loss .* smaller generator.learning-rate"
    ):
        fitted(batch_size=20, learning_rate=1e30)


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({"value_range": (0.0, 1.0)}, np.array([[0.5], [1.25]]), r"value-range \[0, 1\], got 0.5 to 1.25"),
        ({"network": TINY_UNET}, np.zeros((5, 15)), "shape 1 x 4 x 4 makes 16 columns, the rows have 15"),
    ],
)
def test_rows_that_do_not_fit_are_refused(options, rows, message):
    with pytest.raises(ValueError, match=message):
        fitted(rows, **options)


def test_rows_of_other_columns_than_the_previous_models_are_refused():
    with pytest.raises(ValueError, match="training rows must have 2 columns, got 3"):
        Diffusion.fit(spec_of(), Samples.of(np.zeros((5, 3))), rng=stream(0, "fit"), previous=fitted())


def test_a_model_of_another_kind_is_not_gone_on_from():
    gaussian = Gaussian(np.zeros(2), np.eye(2))
    with pytest.raises(ValueError, match="a diffusion model cannot go on from a Gaussian"):
        generators.fit(spec_of(), Samples.of(two_modes(5)), rng=stream(0, "fit"), previous=gaussian)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda parts: parts.pop("scale"), "lacks arrays scale"),
        (lambda parts: parts.update(scale=np.zeros(2)), "scale positive"),
        (lambda parts: parts.update(offset=np.zeros(3)), r"offset \(3,\) .* must have 2 entries"),
        (lambda parts: parts.update(architecture=np.zeros(4)), "not the JSON of a denoiser"),
        (lambda parts: parts.update(architecture=np.full(4, 300.0)), "at most 65536 bytes"),
        (lambda parts: parts.pop("weights/inlet.bias"), "missing .'inlet.bias'"),
        (lambda parts: parts.update({"weights/more": np.zeros(1)}), "unknown .'more'"),
        (lambda parts: parts.update({"weights/inlet.bias": np.zeros(3)}), r"shape \(16,\), got \(3,\)"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(change, message):
    parts = fitted(first_epochs=1).arrays()
    change(parts)
    with pytest.raises(ValueError, match=message):
        generators.from_arrays(spec_of(first_epochs=1), parts)


def test_a_network_other_than_the_experiments_is_refused():
    with pytest.raises(ValueError, match="architecture is not the one that generator describes"):
        generators.from_arrays(spec_of(network=MlpSpec(hidden=8, layers=1)), fitted().arrays())


def test_an_architecture_that_diffusers_cannot_build_is_refused():
    wrong = Architecture(
        4, {"kind": "unet", "in_channels": 1, "sample_size": 2, "block_out_channels": [7]}, {}
    )
    with pytest.raises(ValueError, match="diffusers cannot build this UNet2DModel"):
        wrong.build("meta")


@pytest.mark.parametrize("network", [MlpSpec(hidden=16, layers=1), TINY_UNET])
def test_a_compiled_denoiser_is_the_same_network_called_through_the_compiler(network, monkeypatch):
    rows, called = stream(0, "rows").random((20, 16)), []
    plain = fitted(rows, network=network, first_epochs=1)

    def compiler(call):
        called.append(call)
        return call

    monkeypatch.setattr("torch.compile", compiler)
    model = fitted(rows, network=network, first_epochs=1, compiled=True)
    assert same(model, plain)
    drawn = [m.sample(5, rng=stream(0, "sample")).values for m in (plain, model)]
    assert np.array_equal(*drawn)
    assert len(called) == 2, "to train it, and to draw from it"


def test_a_batch_goes_to_a_gpu_out_of_pinned_memory_and_stays_where_it_is_on_a_cpu():
    batch = torch.zeros(2)
    assert CPU.put(batch) is batch

    class Pinned:
        def pin_memory(self):
            return SimpleNamespace(to=lambda device, non_blocking: (device, non_blocking))

    assert Place("cuda", bfloat16=True).put(Pinned()) == ("cuda", True)


@pytest.mark.skipif("torch.cuda.is_available()", reason="there is a CUDA device here")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(
        ValueError, match="generator.device: cuda was asked for, but torch finds no CUDA device"
    ):
        place_of(spec_of(device="cuda"))


def test_auto_takes_float32_on_a_cpu():
    assert place_of(spec_of(device="cpu", precision="auto")) == CPU
    assert place_of(spec_of(device="cpu", precision="bfloat16")).bfloat16


def test_streams_give_torch_the_same_numbers():
    one, two = (torch.randn(5, generator=torch_stream(stream(0, "a"))) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, torch.randn(5, generator=torch_stream(stream(1, "a"))))


@pytest.mark.gpu
@pytest.mark.skipif("not torch.cuda.is_available()", reason="needs a CUDA device")
@pytest.mark.parametrize("network", [MlpSpec(hidden=32, layers=2), TINY_UNET])
def test_cpu_and_cuda_agree(network):
    """Both see the same draws; float32 sums differ in order, 30 steps of AdamW blow that up to about 1e-3."""
    rows = stream(0, "rows").random((100, 16))
    models = [
        fitted(
            rows, network=network, value_range=(0.0, 1.0), device=device, precision="float32", first_epochs=30
        )
        for device in ("cpu", "cuda")
    ]
    for name, tensor in models[0].weights.items():
        np.testing.assert_allclose(models[1].weights[name], tensor, atol=5e-3)
    drawn = [model.sample(64, rng=stream(0, "sample")).values for model in models]
    assert np.abs(drawn[0] - drawn[1]).mean() < 2e-3


@pytest.mark.gpu
@pytest.mark.skipif("not torch.cuda.is_available()", reason="needs a CUDA device")
def test_a_compiled_denoiser_draws_on_a_gpu_what_the_plain_one_draws():
    rows = stream(0, "rows").random((100, 16))
    options = {"network": TINY_UNET, "device": "cuda", "precision": "float32", "first_epochs": 30}
    drawn = [
        fitted(rows, compiled=how, **options).sample(64, rng=stream(0, "sample")).values
        for how in (False, True)
    ]
    assert np.abs(drawn[0] - drawn[1]).mean() < 2e-3  # as between devices
