# SPDX-License-Identifier: Apache-2.0
"""A base generator in a file: back as it was, one digest whatever the packing, and no other kind of file."""

import numpy as np
import pytest

from tailweave.protocols.base_file import base_digest, load_base, save_base

ARRAYS = {"mean": np.array([1.0, -2.0]), "covariance": np.eye(2)}


def test_there_and_back(tmp_path):
    path = tmp_path / "made" / "base.npz"
    save_base(path, "gaussian", ARRAYS)
    kind, arrays = load_base(path)
    assert kind == "gaussian"
    assert {n: a.tolist() for n, a in arrays.items()} == {n: a.tolist() for n, a in ARRAYS.items()}
    assert [p.name for p in path.parent.iterdir()] == ["base.npz"]


def test_the_digest_is_of_content_and_of_all_of_it():
    mine = base_digest("gaussian", ARRAYS)
    assert mine == base_digest("gaussian", dict(reversed(ARRAYS.items())))
    assert mine == base_digest("gaussian", {n: np.asfortranarray(a) for n, a in ARRAYS.items()})
    others = [
        ("gaussian-mixture", ARRAYS),
        ("gaussian", ARRAYS | {"mean": np.array([1.0, np.nextafter(-2.0, 0)])}),
        ("gaussian", ARRAYS | {"mean": np.array([[1.0, -2.0]])}),
        ("gaussian", {"means": ARRAYS["mean"], "covariance": ARRAYS["covariance"]}),
    ]
    assert len({mine, *(base_digest(*other) for other in others)}) == 5


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({"mean": np.zeros(2)}, "does not say of which kind"),
        ({"kind": np.array(3.0), "mean": np.zeros(2)}, "does not say of which kind"),
        (
            {"kind": np.array("gaussian"), "mean": np.array([np.nan])},
            r"finite arrays of float64 or float32, got \['mean'\]",
        ),
        (
            {"kind": np.array("gaussian"), "mean": np.zeros(2, np.float16)},
            "finite arrays of float64 or float32",
        ),
        ({"kind": np.array("gaussian")}, "finite arrays of float64 or float32, got none"),
        ({"kind": np.array("gaussian"), "mean": np.array([{}])}, "not a readable base generator"),
    ],
)
def test_other_contents_are_refused(tmp_path, contents, reason):
    path = tmp_path / "base.npz"
    np.savez(path, **contents)
    with pytest.raises(ValueError, match=reason) as refused:
        load_base(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("data", [None, b"", b"PK\x03\x04 torn", b"\x80\x04pickled"])
def test_what_is_no_archive_is_refused(tmp_path, data):
    path = tmp_path / "base.npz"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ValueError, match="not a readable base generator"):
        load_base(path)


def test_a_networks_single_precision_is_kept_and_of_one_digest(tmp_path):
    arrays = {"weights": np.arange(3, dtype=np.float32) / 7}
    save_base(tmp_path / "base.npz", "diffusion", arrays)
    kind, found = load_base(tmp_path / "base.npz")
    assert found["weights"].dtype == np.float32
    double = {name: array.astype(np.float64) for name, array in arrays.items()}
    assert base_digest(kind, found) == base_digest("diffusion", double)
