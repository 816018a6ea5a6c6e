# SPDX-License-Identifier: Apache-2.0
"""Pictures in the report: which runs have them, what is drawn, and that one run gives all of it."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tailweave
from tailweave.clients.nearest_training import SHOWN, beside_nearest
from tailweave.clients.samples import Samples
from tailweave.protocols.streams import stream
from tailweave.simulation.figures.samples import draw_samples
from tailweave.simulation.images import _pictures, shows_images
from tailweave.simulation.report.page import space_note
from tailweave.simulation.run_folder import RunFolder

CONFIG = """\
name: pictures
seeds: 1
data: {source: digits}
features: {kind: pca, dimensions: 4}
evaluation: {samples: 60, features: {kind: pca, dimensions: 6}}
silos: {count: 2, partition: {kind: iid}}
generator: {kind: gaussian-mixture, components: 3, ridge: 0.001}
recursion: {generations: 2, samples: 50, candidates-per-sample: 1, include-real: true}
arms:
  - {name: vanilla, rule: random, paradigm: replace, include-real: false}
  - {name: greedy, rule: farthest-point, paradigm: accumulate-select}
"""


def test_the_nearest_training_row_is_found_in_the_space_given():
    generated, rows = stream(0, "g").normal(size=(20, 5)), stream(0, "r").normal(size=(30, 5))

    features = generated[:, :2], rows[:, :2]  # the other columns must not count
    kept = beside_nearest(Samples.of(generated), Samples.of(rows), *features)
    assert np.array_equal(kept["generated"], generated[:SHOWN])
    for one, near, distance in zip(kept["generated"], kept["nearest"], kept["distance"], strict=True):
        gaps = np.linalg.norm(rows[:, :2] - one[:2], axis=1)
        assert np.array_equal(near, rows[gaps.argmin()])
        assert distance == pytest.approx(gaps.min(), rel=1e-12)


def test_rows_become_pictures_with_colours_last_and_cut_to_what_can_be_seen():
    row = np.array([[-0.5, 0.0, 1.0, 2.0, 0.5, 0.2]])
    found = _pictures(row, (3, 1, 2))
    assert found.shape == (1, 1, 2, 3)
    assert found[0, 0].tolist() == [[0, 255, 128], [0, 255, 51]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"source": "digits"}, True),
        ({"source": "cifar10"}, True),
        ({"source": "npz", "image": [1, 2, 2]}, True),
        ({"source": "npz", "image": None}, False),
        ({"source": "wine"}, False),
        ({}, False),
    ],
)
def test_which_runs_show_images(data, expected):
    assert shows_images({"data": data}) is expected


@pytest.mark.parametrize("channels", [1, 3])
def test_every_sample_is_drawn_beside_its_neighbour(channels):
    made = stream(0, "made").integers(255, size=(2, 3, 3, channels)).astype(np.uint8)
    near = stream(0, "near").integers(255, size=(2, 3, 3, channels)).astype(np.uint8)
    images = {f"a/{g}/{n}": x for g in (0, 10, 2) for n, x in (("generated", made), ("nearest", near))}
    figure = draw_samples(images, ["a", "b"])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "2", "10"]
    sheet = axes.images[0].get_array()
    tile = 3 * 8 + 2
    assert sheet.shape == (3 * (tile + 4), 2 * (2 * tile + 8), 3)
    first = sheet[3 : 3 + 24 : 8, 5 : 5 + 24 : 8]
    beside = sheet[3 : 3 + 24 : 8, 5 + tile : 5 + tile + 24 : 8]
    assert np.array_equal(first, np.broadcast_to(made[0], (3, 3, 3)))
    assert np.array_equal(beside, np.broadcast_to(near[0], (3, 3, 3)))
    assert draw_samples({}, ["a"]) is None


def test_a_shared_encoder_is_warned_of():
    encoder = {"kind": "encoder", "model": "small-conv", "dimensions": 8}
    assert "share one encoder (small-conv)" in space_note({"features": encoder})
    assert "share" in space_note({"features": encoder, "evaluation": {"features": encoder}})
    other = encoder | {"model": "facebook/dinov2-small"}
    assert space_note({"features": encoder, "evaluation": {"features": other}}) == ""
    assert space_note({"features": {"kind": "pca"}}) == ""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("pictures")
    (home / "pictures.yaml").write_text(CONFIG)
    tailweave.run(home / "pictures.yaml", out=home / "run")
    return home / "run"


def test_a_run_on_images_ends_with_pictures_scores_and_shares(finished):
    folder = RunFolder(finished)
    images = folder.images()
    assert set(images) == {
        f"{arm}/{generation}/{name}"
        for arm in ("vanilla", "greedy")
        for generation in (0, 1, 2)
        for name in ("generated", "nearest")
    }
    assert all(a.shape == (SHOWN, 8, 8, 1) and a.dtype == np.uint8 for a in images.values())
    assert not list(finished.glob(".state"))  # training rows are gone but for those that are shown
    html = (finished / "report.html").read_text()
    assert "Does it still invent?" in html
    assert "What it looks like" in html
    found = re.findall(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)", html)
    pngs = [base64.b64decode(text) for text in found]
    assert max(Image.open(io.BytesIO(png)).size for png in pngs)[0] >= 2 * SHOWN * 24
    assert len(html) < 2_000_000


def test_arms_have_their_own_paradigm_and_the_real_share_is_in_the_rows(finished):
    rows = RunFolder(finished).metrics()
    vanilla = [row for row in rows if row["arm"] == "vanilla"]
    greedy = [row for row in rows if row["arm"] == "greedy"]
    assert not any("real_share" in row for row in vanilla)
    assert {row["real_share"] for row in greedy if row["generation"] == 0} == {1.0}
    assert all(0.0 < row["real_share"] <= 1.0 for row in greedy)
    assert all("training_entropy" in row for row in rows)


@pytest.mark.slow
def test_generations_are_measured_in_the_space_of_the_evaluation(finished, tmp_path):
    (tmp_path / "same.yaml").write_text(CONFIG.replace("dimensions: 6", "dimensions: 4"))
    tailweave.run(tmp_path / "same.yaml", out=tmp_path / "run")
    here, there = (RunFolder(path).metrics() for path in (finished, tmp_path / "run"))
    assert here[0]["frechet"] != there[0]["frechet"]
    assert here[0]["frechet"] > there[0]["frechet"]  # more axes, more to differ in


@pytest.mark.slow
def test_an_encoder_travels_with_the_run_and_its_sharing_is_said(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from tailweave.clients.encoders import small_conv

    monkeypatch.setattr(small_conv, "STEPS", 5)
    encoder = "{kind: encoder, model: small-conv, dimensions: 4}"
    text = CONFIG.replace("{kind: pca, dimensions: 4}", encoder).replace(
        ", features: {kind: pca, dimensions: 6}", ""
    )
    text = text.replace("generations: 2", "generations: 1") + (
        "  - {name: collaborative, rule: herding, reference: sliced, paradigm: accumulate-select}\n"
    )
    (tmp_path / "coded.yaml").write_text(text)
    tailweave.run(tmp_path / "coded.yaml", out=tmp_path / "run")
    rows = RunFolder(tmp_path / "run").metrics()
    assert {(row["arm"], row["generation"]) for row in rows if row["silo"] == "silo-1"} == {
        (arm, generation) for arm in ("vanilla", "greedy", "collaborative") for generation in (0, 1)
    }
    assert "share one encoder (small-conv)" in (tmp_path / "run" / "report.html").read_text()
