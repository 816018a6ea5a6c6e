# SPDX-License-Identifier: Apache-2.0
"""Source hub: on a stand-in for Hugging Face's library, and on the library itself where it is installed."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from tailweave.clients.data.hub import load
from tailweave.clients.samples import TEXT, DataError
from tailweave.protocols.kinds.sources.hub import Hub


def png(shade: int, size: tuple[int, int] = (3, 2)) -> dict:
    buffer = io.BytesIO()
    Image.new("L", size, shade).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


COLUMNS = {
    "picture": [png(shade) for shade in range(0, 250, 10)],
    "words": [f" document {i}\r\n" for i in range(25)],
    "height": [float(i) for i in range(25)],
    "weight": [i * i for i in range(25)],
    "kind": [i % 2 for i in range(25)],
}


class Table:
    """What is used of ``datasets.Dataset``."""

    def __init__(self, columns: dict) -> None:
        self.columns = columns
        self.column_names = list(columns)
        self.features = dict.fromkeys(columns) | {"kind": SimpleNamespace(names=["cat", "dog"])}

    def __len__(self) -> int:
        return len(self.columns["words"])

    def cast_column(self, name: str, feature: object) -> "Table":
        assert feature == "undecoded image"
        return self

    def select_columns(self, names: list[str]) -> "Table":
        return _Part({name: self.columns[name] for name in names})


class _Part(Table):
    def __init__(self, columns: dict) -> None:
        self.columns = columns

    def select(self, index) -> "Table":
        return _Part({name: [cells[i] for i in index] for name, cells in self.columns.items()})

    def to_dict(self) -> dict:
        return self.columns


@pytest.fixture
def library(monkeypatch) -> dict:
    """Splits of the one data set that the stand-in knows."""
    splits = {"train": Table(COLUMNS), "test": Table(COLUMNS)}

    def load_dataset(path: str, configuration: str | None, *, split: str) -> Table:
        if path != "owner/set":
            raise FileNotFoundError(f"Couldn't find {path}\non the hub")
        return splits[split]

    def image(*, decode: bool) -> str:
        assert not decode
        return "undecoded image"

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset, Image=image))
    return splits


def spec(**options) -> Hub:
    return Hub.model_validate({"source": "hub", "path": "owner/set", **options})


PICTURES = {"image-column": "picture", "image": (1, 2, 3)}


def test_images_are_pixels_and_classes_names(library):
    rows = load(spec(label="kind", **PICTURES), seed=0)
    assert rows.image == (1, 2, 3)
    assert np.allclose(rows.values * 255, np.repeat(np.arange(0, 250, 10), 6).reshape(25, 6))
    assert rows.labels.tolist()[:3] == ["cat", "dog", "cat"]


def test_texts_are_documents(library):
    rows = load(spec(**{"text-column": "words"}), seed=0)
    assert rows.sort == TEXT
    assert rows.values[3] == "document 3"
    assert rows.labels is None


def test_a_tables_splits_are_scaled_alike_and_a_share_is_drawn(library):
    options = {"columns": ["height", "weight"], "evaluation-split": "test", "evaluation-rows": 20}
    train, test = load(spec(**options), seed=0)
    both = np.vstack([train.values, test.values])
    assert np.allclose(both.mean(axis=0), 0.0)
    assert np.allclose(both.std(axis=0), 1.0)
    assert (len(train), len(test)) == (25, 20)
    assert train.columns == ("height", "weight")
    plain, _ = load(spec(**options, standardize=False), seed=0)
    assert plain.values[4].tolist() == [4.0, 16.0]


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        (
            {"columns": ["width"]},
            {},
            "owner/set, split train: no column 'width'; nearest: 'weight'; known: pic",
        ),
        (
            {"columns": ["words"]},
            {},
            "row 0, column 'words': found ' document 0.*allowed: a number up to 1e.60",
        ),
        (
            {"columns": ["height"]},
            {"height": [float("nan")] * 25},
            "row 0, column 'height': found nan, allowed",
        ),
        ({"text-column": "height"}, {}, "row 0, column 'height': found 0.0, allowed: text"),
        ({"text-column": "words"}, {"words": [" "] * 25}, "row 0: found a blank document"),
        ({"text-column": "words"}, {"words": ["a"]}, "expected at least 2 rows, found 1"),
        (PICTURES, {"picture": [None] * 25}, "row 0, column 'picture': found None, allowed: an image"),
        (PICTURES, {"picture": [{"bytes": b"no", "path": None}] * 25}, "row 0: cut off or no image"),
        (PICTURES, {"picture": [png(0, (9, 9))] * 25}, "row 0: found 9 x 9 pixels, image wants 3 x 2"),
        (
            {"columns": ["height"], "label": "kind"},
            {"kind": [7] * 25},
            "column 'kind': found 7, allowed: a class",
        ),
        (
            {"columns": ["height"], "path": "no/set"},
            {},
            "no/set, split train: cannot be loaded: Couldn't find no",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(library, options, change, message):
    library["train"] = Table(COLUMNS | change)
    with pytest.raises(DataError, match=message):
        load(spec(**options), seed=0)


def test_without_the_library_one_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)  # as if it were not installed
    with pytest.raises(DataError, match="which is not installed: pip install 'tailweave.hub.'"):
        load(spec(columns=["height"]), seed=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs one of image-column, text-column and columns"),
        ({"text-column": "a", "columns": ["b"]}, "needs one of image-column, text-column and columns"),
        ({"image-column": "a"}, "image-column and image belong together"),
        ({"columns": ["a", "a"]}, "columns and label must differ, got a, a"),
        ({"columns": ["a"], "label": "a"}, "columns and label must differ"),
        ({"columns": ["a"], "evaluation-rows": 30}, "evaluation-rows needs evaluation-split"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        spec(**options)


def test_a_path_is_a_folder_beside_the_experiment_or_a_name_on_the_hub(tmp_path):
    (tmp_path / "owner/set").mkdir(parents=True)
    assert spec(columns=["a"]).anchored(tmp_path).path == str((tmp_path / "owner/set").resolve())
    assert spec(columns=["a"]).anchored(tmp_path / "elsewhere").path == "owner/set"


def test_the_library_itself_reads_what_it_saved(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra hub is not installed")
    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "words": datasets.Value("string"),
            "height": datasets.Value("float32"),
            "weight": datasets.Value("int64"),
            "kind": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    whole = datasets.Dataset.from_dict(COLUMNS, features=features)
    whole.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": whole, "test": whole.select(range(22))}).save_to_disk(
        str(tmp_path / "two")
    )
    images = load(spec(path=str(tmp_path / "one"), label="kind", rows=20, **PICTURES), seed=0)
    assert images.values.shape == (20, 6)
    assert set(images.labels) == {"cat", "dog"}
    options = {"path": str(tmp_path / "two"), "evaluation-split": "test", "standardize": False}
    train, test = load(spec(columns=["height", "weight"], **options), seed=0)
    assert (len(train), len(test)) == (25, 22)
    assert train.values[4].tolist() == [4.0, 16.0]
    with pytest.raises(DataError, match="no split 'dev'; nearest: '.*'; known: train, test"):
        load(spec(columns=["height"], split="dev", path=str(tmp_path / "two")), seed=0)
    with pytest.raises(DataError, match="column 'words': holds no images|row 0"):
        load(spec(path=str(tmp_path / "one"), **PICTURES | {"image-column": "words"}), seed=0)
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/train.csv").write_text("height,kind\n" + "".join(f"{i},k{i % 2}\n" for i in range(25)))
    rows = load(spec(path=str(tmp_path / "csv"), columns=["height"], label="kind", standardize=False), seed=0)
    assert rows.values[:2].tolist() == [[0.0], [1.0]]
    assert rows.labels.tolist()[:2] == ["k0", "k1"]
