# SPDX-License-Identifier: Apache-2.0
"""Reference files: what is read is what was written, and nothing else is read."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references.empirical import Empirical
from tailweave.protocols.references.sliced import Sliced
from tailweave.protocols.streams import stream

RNG = stream(0, "kept")
FEATURES = FeatureMap(RNG.normal(size=4), RNG.normal(size=(4, 2)), np.array([0.5, -0.5]), 1.25)
SLICED = KeptReference(
    "run-9",
    "collaborative",
    3,
    SlicedReference(kind="sliced", directions=6, coefficients=4),
    FEATURES,
    {"sketch": RNG.normal(size=(6, 4))},
)
QUANTIZED = KeptReference(
    "run-9",
    "quantized",
    3,
    QuantizedReference(kind="quantized", samples=50),
    FEATURES,
    {"centroids": np.eye(2), "counts": np.array([0.25, 0.75]), "variances": np.ones((2, 2))},
)


@pytest.mark.parametrize("kept", [SLICED, QUANTIZED], ids=["sliced", "quantized"])
def test_what_is_read_is_what_was_written(kept, tmp_path):
    path = tmp_path / "deep" / "reference.npz"
    kept.save(path)
    read = KeptReference.load(path)
    assert (read.run, read.arm, read.seed, read.spec) == (kept.run, kept.arm, kept.seed, kept.spec)
    assert read.features == kept.features
    assert {n: a.tolist() for n, a in read.arrays.items()} == {n: a.tolist() for n, a in kept.arrays.items()}
    assert read.digest == kept.digest
    x = stream(1, "x").normal(size=(9, 2))
    assert np.array_equal(read.reference().potential(x), kept.reference().potential(x))
    assert [p.name for p in path.parent.iterdir()] == ["reference.npz"]


def test_it_gives_the_reference_of_its_kind():
    assert isinstance(SLICED.reference(), Sliced)
    reference = QUANTIZED.reference()
    assert isinstance(reference, Empirical)
    assert reference.points.shape == (50, 2)


def test_saving_again_replaces_the_file_in_one_step(tmp_path):
    path = tmp_path / "reference.npz"
    SLICED.save(path)
    with path.open("rb") as still_open:
        QUANTIZED.save(path)
        old = still_open.read()
    assert KeptReference.load(path).arm == "quantized"
    with np.load(io.BytesIO(old)) as archive:
        assert "reference/sketch" in archive.files


@pytest.mark.parametrize(
    "changed",
    [
        {"run": "run-8"},
        {"arm": "other"},
        {"seed": 4},
        {"spec": SLICED.spec.model_copy(update={"range": 3.0})},
        {"features": FeatureMap(FEATURES.offset, FEATURES.weights, FEATURES.center, 1.5)},
        {"arrays": {"sketch": SLICED.arrays["sketch"] + 1e-12}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_any_change_changes_the_digest(changed):
    assert replace(SLICED, **changed).digest != SLICED.digest


def rewritten(path: Path, **parts: np.ndarray | None) -> None:
    """Replace parts of a file: ``about`` by JSON text, None removes; ``__`` stands for a slash."""
    SLICED.save(path)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    for name, value in parts.items():
        arrays.pop(name.replace("__", "/"), None)
        if value is not None:
            arrays[name.replace("__", "/")] = value
    np.savez(path, **arrays)


ABOUT = {"version": 1, "run": "r", "arm": "a", "seed": 0, "reference": {"kind": "sliced", "directions": 6}}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"about": None}, "about"),
        ({"about": np.array("{")}, "not a readable reference file"),
        ({"about": np.array("[]")}, "not of version 1"),
        ({"about": np.array(json.dumps(ABOUT | {"version": 2}))}, "not of version 1"),
        ({"about": np.array(json.dumps(ABOUT | {"more": 2}))}, "not of version 1"),
        ({"about": np.array(json.dumps(ABOUT | {"reference": "local"}))}, "of kind local is not woven"),
        ({"about": np.array(json.dumps(ABOUT | {"reference": "sliced-x"}))}, "its options do not fit"),
        ({"about": np.array(json.dumps(ABOUT | {"seed": []}))}, "not a readable reference file"),
        ({"reference__sketch": None}, "needs array 'sketch'"),
        ({"reference__sketch": np.zeros((5, 4))}, r"sketch must have shape \(6, 4\)"),
        ({"reference__sketch": np.full((6, 4), np.nan)}, "sketch must be finite"),
        ({"reference__extra": np.zeros(1)}, "needs array 'sketch'"),
        ({"features__offset": None}, "feature map lacks offset"),
        ({"features__weights": np.zeros((3, 2))}, "feature map parts disagree"),
        ({"features__scale": np.array([-1.0])}, "scale must be positive"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, parts, message):
    path = tmp_path / "reference.npz"
    rewritten(path, **parts)
    with pytest.raises(ValueError, match=message) as raised:
        KeptReference.load(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"text", None], ids=["empty", "cut", "text", "missing"]
)
def test_files_of_another_kind_are_refused(tmp_path, content):
    path = tmp_path / "reference.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="not a readable reference file"):
        KeptReference.load(path)


def test_half_a_file_is_refused(tmp_path):
    path = tmp_path / "reference.npz"
    SLICED.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a readable reference file"):
        KeptReference.load(path)
