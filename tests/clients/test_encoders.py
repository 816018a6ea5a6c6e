# SPDX-License-Identifier: Apache-2.0
"""Encoders: what they compute, that they repeat themselves, how they travel, and what is refused."""

import json

import numpy as np
import pytest
from later import later

from tailweave.clients.encoders import SmallConv, make_encoder, open_encoder, small_conv
from tailweave.clients.features import fit_features, received_features
from tailweave.clients.samples import Images, Samples
from tailweave.protocols.encoders import SealedEncoder
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.features.encoder import EncoderFeatures
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.streams import stream

torch, transformers = later("torch"), later("transformers")
IMAGE = (1, 8, 8)


def images(values: np.ndarray, image=IMAGE) -> Samples:
    names = tuple(f"p{j}" for j in range(values.shape[1]))
    return Samples.of(values, sort=Images(names, shape=image))


def pictures(count: int = 200, image=IMAGE) -> np.ndarray:
    """Bars, lying or standing, on a dark ground."""
    rng = stream(0, "pictures")
    drawn = np.zeros((count, *image))
    for one in drawn:
        place, lies = rng.integers(image[1]), rng.integers(2)
        one[:, place, :] += lies
        one[:, :, place] += 1 - lies
    return (0.9 * drawn + 0.1 * rng.random(drawn.shape)).reshape(count, -1)


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(small_conv, "STEPS", 20)


@pytest.fixture(scope="module")
def dino(tmp_path_factory) -> str:
    home = tmp_path_factory.mktemp("dino")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=14, patch_size=7
    )
    transformers.Dinov2Model(config).save_pretrained(home)
    options = {"crop_size": {"height": 14, "width": 14}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (home / "preprocessor_config.json").write_text(json.dumps(options))
    return str(home)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    home = tmp_path_factory.mktemp("clip")
    torch.manual_seed(1)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config=small | {"vocab_size": 20, "bos_token_id": 1, "eos_token_id": 2},
        vision_config=small | {"image_size": 8, "patch_size": 4},
        projection_dim=5,
    )
    transformers.CLIPModel(config).save_pretrained(home)
    return str(home)


@pytest.mark.usefixtures("few_steps")
def test_a_small_conv_is_the_network_that_torch_makes_of_its_weights():
    rows = pictures()
    encoder = SmallConv.train(rows, IMAGE, rng=stream(0, "encoder"))
    w = {name: torch.from_numpy(part).float() for name, part in encoder.weights.items()}
    layers = [torch.nn.Conv2d(1, 16, 3, 1, 1), torch.nn.Conv2d(16, 32, 3, 2, 1), torch.nn.Linear(512, 64)]
    for layer, name in zip(layers, ("conv-0", "conv-1", "code"), strict=True):
        layer.load_state_dict({"weight": w[f"{name}/weight"], "bias": w[f"{name}/bias"]})
    silu = torch.nn.SiLU()
    chain = torch.nn.Sequential(layers[0], silu, layers[1], silu, torch.nn.Flatten(), layers[2])
    scaled = torch.from_numpy((rows - rows.mean()) / rows.std()).float().reshape(-1, *IMAGE)
    np.testing.assert_allclose(encoder(rows), chain(scaled).detach().numpy(), atol=1e-5)


def test_training_takes_noise_off(monkeypatch):
    monkeypatch.setattr(small_conv, "STEPS", 100)
    rows = pictures()
    x = (rows - rows.mean()) / rows.std()
    trained = SmallConv.train(rows, IMAGE, rng=stream(0, "encoder"))
    noisy = rows + rows.std() * small_conv.NOISE * stream(1, "noise").normal(size=rows.shape)
    codes = np.column_stack([trained(noisy), np.ones(len(rows))])
    half = len(rows) // 2  # the back half is linear: fit it anew on one half, judge it on the other
    back, *_ = np.linalg.lstsq(codes[:half], x[:half], rcond=1e-3)
    left = ((codes[half:] @ back - x[half:]) ** 2).mean()
    assert left < 0.5 * small_conv.NOISE**2


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("image", [(1, 8, 8), (3, 9, 6), (1, 32, 32), (3, 3, 3)])
def test_a_small_conv_takes_any_size_and_travels(image):
    rows = stream(0, "rows").random((40, image[0] * image[1] * image[2]))
    encoder = make_encoder("small-conv", rows, image, rng=stream(0, "encoder"))
    back = open_encoder(encoder.arrays())
    assert encoder.columns == back.columns == rows.shape[1]
    assert encoder(rows).shape == (40, small_conv.CODES)
    assert np.array_equal(back(rows), encoder(rows))


@pytest.mark.usefixtures("few_steps")
def test_the_same_stream_gives_the_same_bytes_on_any_number_of_threads():
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            torch.manual_seed(threads)  # the global stream must not matter
            found.append(SmallConv.train(pictures(), IMAGE, rng=stream(0, "encoder")))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    one, two = (encoder.arrays() for encoder in found)
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    other = SmallConv.train(pictures(), IMAGE, rng=stream(1, "encoder")).arrays()
    assert not np.array_equal(one["code/weight"], other["code/weight"])


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code/bias": None}, r"code/bias must have shape \(64,\), got none"),
        ({"conv-0/weight": np.ones((16, 3, 3, 3))}, r"conv-0/weight must have shape \(16, 1, 3, 3\)"),
        ({"conv-2/bias": np.ones(64)}, r"conv-2/bias must have shape none, got \(64,\)"),
        ({"scale": np.zeros(2)}, "positive deviation, got 0"),
        ({"scale": None}, "an encoder lacks scale"),
        ({"image": np.array([1.0, 8.5, 8.0])}, "three whole numbers in 1..4096"),
    ],
)
def test_a_small_conv_that_does_not_fit_is_refused(change, message):
    arrays = SmallConv.train(pictures(), IMAGE, rng=stream(0, "encoder")).arrays() | change
    with pytest.raises(ValueError, match=message):
        open_encoder({name: part for name, part in arrays.items() if part is not None})


def test_images_that_teach_nothing_are_refused():
    with pytest.raises(ValueError, match="must not all be of one colour"):
        SmallConv.train(np.ones((5, 64)), IMAGE, rng=stream(0, "encoder"))
    with pytest.raises(ValueError, match="public images"):
        SmallConv.train(np.ones((5, 63)), IMAGE, rng=stream(0, "encoder"))


def test_dino_codes_are_the_models_own_pooled_output(dino):
    rows = stream(0, "rows").random((5, 3 * 14 * 14)) * 1.2 - 0.1
    encoder = make_encoder(dino, rows, (3, 14, 14), rng=stream(0, "unused"))
    model = transformers.Dinov2Model.from_pretrained(dino).eval()
    pixels = torch.from_numpy((np.clip(rows, 0.0, 1.0) - 0.5) / 0.25).float().reshape(-1, 3, 14, 14)
    with torch.no_grad():
        expected = model(pixel_values=pixels).pooler_output.numpy()
    np.testing.assert_allclose(encoder(rows), expected, atol=1e-5)
    assert np.array_equal(open_encoder(encoder.arrays())(rows), encoder(rows))


def test_clip_codes_are_its_projected_images_and_grey_is_three_colours(clip):
    rows = stream(0, "rows").random((4, 64))
    encoder = make_encoder(clip, rows, IMAGE, rng=stream(0, "unused"))
    model = transformers.CLIPModel.from_pretrained(clip).eval()
    mean, deviation = np.array([[0.485, 0.456, 0.406]]), np.array([[0.229, 0.224, 0.225]])
    colours = np.repeat(rows.reshape(4, 1, 8, 8), 3, axis=1)
    pixels = (colours - mean.reshape(1, 3, 1, 1)) / deviation.reshape(1, 3, 1, 1)
    with torch.no_grad():
        seen = model.vision_model(pixel_values=torch.from_numpy(pixels).float()).pooler_output
        expected = model.visual_projection(seen).numpy()
    assert encoder(rows).shape == (4, 5)
    np.testing.assert_allclose(encoder(rows), expected, atol=1e-5)


def test_other_sizes_are_scaled_to_the_models_own(dino):
    flat = np.repeat([[0.2], [0.8]], 64, axis=1)  # scaling keeps an image of one colour
    small = make_encoder(dino, flat, IMAGE, rng=stream(0, "unused"))(flat)
    large = np.repeat([[0.2], [0.8]], 3 * 14 * 14, axis=1)
    exact = make_encoder(dino, large, (3, 14, 14), rng=stream(0, "unused"))(large)
    np.testing.assert_allclose(small, exact, atol=1e-4)


def test_a_model_that_is_not_there_or_is_another_one_is_refused(dino, clip, tmp_path):
    with pytest.raises(ValueError, match="features.model .*nowhere: cannot be loaded .* with config"):
        make_encoder(str(tmp_path / "nowhere"), np.zeros((1, 64)), IMAGE, rng=stream(0, "unused"))
    arrays = make_encoder(dino, np.zeros((1, 64)), IMAGE, rng=stream(0, "unused")).arrays()
    with pytest.raises(ValueError, match="this node has other weights under that name"):
        open_encoder(arrays | {"digest": np.zeros(32)})
    with pytest.raises(ValueError, match="encoder array model must hold 1 to 300 bytes"):
        open_encoder(arrays | {"model": np.array([0.5])})
    with pytest.raises(ValueError, match="images of 1 or 3 channels, got 2"):
        make_encoder(dino, np.zeros((1, 8)), (2, 2, 2), rng=stream(0, "unused"))


def test_a_model_in_a_pickle_is_refused(dino, tmp_path):
    model = transformers.Dinov2Model.from_pretrained(dino)
    model.config.save_pretrained(tmp_path)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="cannot be loaded .*model.safetensors"):
        make_encoder(str(tmp_path), np.zeros((1, 64)), IMAGE, rng=stream(0, "unused"))


@pytest.mark.usefixtures("few_steps")
def test_a_feature_map_with_an_encoder_is_principal_axes_of_codes_and_travels_sealed(tmp_path):
    rows = pictures()
    spec = EncoderFeatures(kind="encoder", model="small-conv", dimensions=3)
    features = fit_features(spec, images(rows), rng=stream(0, "features"))
    codes = features.encoder(rows)
    _, values, axes = np.linalg.svd(codes - codes.mean(axis=0), full_matrices=False)
    expected = (codes - codes.mean(axis=0)) @ axes[:3].T
    np.testing.assert_allclose(np.abs(features(rows)), np.abs(expected), atol=1e-8 * values[0])
    assert (features.columns, features.dimension) == (64, 3)

    sealed = FeatureMap.from_arrays(features.arrays())
    assert isinstance(sealed.encoder, SealedEncoder)
    assert (sealed.columns, sealed.dimension) == (64, 3)
    assert sealed == features
    with pytest.raises(ValueError, match="only a silo opens it"):
        sealed(rows)
    PublicKit(features, {}, features(rows), evaluation=features).save(tmp_path / "kit.npz")
    kit = PublicKit.load(tmp_path / "kit.npz")
    assert kit.features == kit.evaluation == features
    opened = received_features(kit.evaluation.arrays())
    assert np.array_equal(opened(rows), features(rows))


def test_an_encoder_needs_images_and_few_enough_dimensions(few_steps):
    spec = EncoderFeatures(kind="encoder", model="small-conv", dimensions=65)
    with pytest.raises(ValueError, match="encoder need images: data has no image shape"):
        fit_features(spec, Samples.of(pictures()), rng=stream(0, "features"))
    with pytest.raises(ValueError, match=r"features.dimensions must be at most the length of a code \(64\)"):
        fit_features(spec, images(pictures()), rng=stream(0, "features"))
