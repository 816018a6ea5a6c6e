# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kit import PublicKit


def kit():
    features = FeatureMap(np.arange(3.0), np.eye(3)[:, :2] + 0.1, np.array([1.0, -1.0]), 2.5)
    base = {"means": np.arange(6.0).reshape(3, 2), "weights": np.array([0.1, 0.2, 0.7])}
    return PublicKit(features, base, np.arange(8.0).reshape(4, 2))


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "new" / "folder" / "seed-0.npz"
    kit().save(path)
    back = PublicKit.load(path)
    assert back.features == kit().features
    assert {n: a.tobytes() for n, a in back.base.items()} == {n: a.tobytes() for n, a in kit().base.items()}
    assert back.base["means"].shape == (3, 2)
    assert back.samples.tobytes() == kit().samples.tobytes()


def test_saving_over_a_kit_replaces_it(tmp_path):
    path = tmp_path / "kit.npz"
    kit().save(path)
    PublicKit(kit().features, {"only": np.zeros(1)}, kit().samples).save(path)
    assert set(PublicKit.load(path).base) == {"only"}


def _flipped(data):
    at = data.index(b"\x93NUMPY") + 140  # behind the 128 bytes of the first array's header
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"hello, this is text",
        lambda data: data[: len(data) // 2],
        lambda data: data[:4],
        _flipped,
    ],
    ids=["empty", "text", "half", "magic only", "one bit flipped"],
)
def test_damaged_files_are_refused_by_name(tmp_path, spoil):
    path = tmp_path / "kit.npz"
    kit().save(path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=r"kit\.npz: not a readable public kit"):
        PublicKit.load(path)


def test_missing_file_and_folder_are_refused_by_name(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(ValueError, match=f"{path.name}: not a readable public kit"):
            PublicKit.load(path)


def test_a_single_array_is_not_a_kit(tmp_path):
    path = tmp_path / "kit.npz"
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ValueError, match="not a readable public kit"):
        PublicKit.load(path)


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "kit.npz"
    np.savez(path, **{"base/evil": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match=r"not a readable public kit: .*[Pp]ickle|object"):
        PublicKit.load(path)


def test_archive_without_features_is_refused(tmp_path):
    path = tmp_path / "kit.npz"
    np.savez(path, **{"base/means": np.zeros(2)})
    with pytest.raises(ValueError, match="feature map lacks offset, weights, center, scale"):
        PublicKit.load(path)


def test_names_of_columns_are_kept_and_must_fit_the_map(tmp_path):
    path = tmp_path / "kit.npz"
    named = PublicKit(kit().features, kit().base, kit().samples, ("age", "größe", "a,b"))
    named.save(path)
    assert PublicKit.load(path).columns == ("age", "größe", "a,b")
    PublicKit(kit().features, kit().base, kit().samples, ("age",)).save(path)
    with pytest.raises(ValueError, match=r"kit\.npz: names 1 columns, its feature map has 3"):
        PublicKit.load(path)


def test_held_out_rows_are_kept_and_must_fit_the_map_they_are_measured_in(tmp_path):
    path = tmp_path / "kit.npz"
    replace(kit(), held_out={"features": np.arange(6.0).reshape(3, 2)}).save(path)
    assert PublicKit.load(path).held_out["features"].tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    replace(kit(), held_out={"features": np.ones((3, 3))}).save(path)
    with pytest.raises(ValueError, match="held-out rows must have 2 columns, got 3"):
        PublicKit.load(path)
