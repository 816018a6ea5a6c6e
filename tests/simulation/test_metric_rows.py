# SPDX-License-Identifier: Apache-2.0
"""A file of metric rows is read by columns, and says the same as row by row."""

import json
import random

import numpy as np
import pytest

from tailweave.simulation.measurements import measurements
from tailweave.simulation.metric_rows import MetricRows
from tailweave.simulation.run_folder import RunFolderError, read_rows


def row(arm="a", seed=0, silo="silo-0", generation=0, **metrics):
    return {"arm": arm, "seed": seed, "silo": silo, "generation": generation, **metrics}


@pytest.fixture
def write(tmp_path):
    def written(*rows, torn=""):
        path = tmp_path / "metrics.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in rows) + torn, encoding="utf-8")
        return path

    return written


def same(left, right):
    assert (left.arms, left.silos, left.metrics.keys()) == (right.arms, right.silos, right.metrics.keys())
    np.testing.assert_array_equal(left.heads, right.heads)
    for name, column in left.metrics.items():
        assert column.tobytes() == right.metrics[name].tobytes()


def read(path, monkeypatch):
    """Read by columns, and by columns alone."""
    with monkeypatch.context() as patch:
        patch.setattr(MetricRows, "of", None)
        return MetricRows.read(path)


def test_columns_hold_every_bit_of_the_rows(write, monkeypatch):
    chance = random.Random(4)
    rows = [
        row(f"arm-{i % 3}", i % 2, f"silo-{i}", i % 5, x=chance.gauss(0, 10.0 ** chance.randint(-300, 300)))
        | ({"mode_share/ü/1": chance.random()} if i % 3 else {"y": None})
        | ({"late": i} if i > 400 else {})
        for i in range(900)
    ]
    path = write(*rows, torn='{"arm": "a", "se')
    same(read(path, monkeypatch), MetricRows.of(read_rows(path)))
    assert measurements(read(path, monkeypatch)).values("arm-1", 1, "late")[1, "silo-571"] == 571.0


def test_names_that_look_like_days_or_numbers_stay_names(write, monkeypatch):
    path = write(row(arm="2024-01-01", silo="7", x=1), row(arm="2024-01-01", silo="8", x=1.5))
    found = read(path, monkeypatch)
    assert (found.arms, found.silos, found.metrics["x"].tolist()) == (("2024-01-01",), ("7", "8"), [1.0, 1.5])


def test_a_metric_of_nulls_is_none(write, monkeypatch):
    assert measurements(read(write(row(x=1.0, y=None)), monkeypatch)).metrics == ("x",)


def test_a_row_that_was_written_twice_counts_once(write):
    twice = MetricRows.read(write(row(x=1.0), row(silo="s", y=2.0), row(x=1.0), row(silo="s", y=2.0)))
    same(twice, MetricRows.of([row(x=1.0), row(silo="s", y=2.0)]))
    with pytest.raises(ValueError, match=r"row 2 contradicts an earlier row of \['a', 0, 'silo-0', 0\]"):
        MetricRows.read(write(row(x=1.0), row(x=1.0, y=1.0)))


@pytest.mark.parametrize(
    ("lines", "error", "match"),
    [
        ([row(x=1.0), row(x="high")], ValueError, "metric row 2: x must be a finite number, got 'high'"),
        ([row(x="2024-01-01")], ValueError, "metric row 1: x must be a finite number, got '2024-01-01'"),
        ([row(x=float("nan"))], RunFolderError, "line 1 is not a JSON object: NaN is not JSON"),
        ([row(x=1.0), [1]], RunFolderError, "line 2 must be a JSON object, got list"),
        ([row(x=1.0), {"arm": "a", "seed": 0}], ValueError, "metric row 2 lacks silo, generation"),
        ([row(x=True)], ValueError, "x must be a finite number, got True"),
    ],
)
def test_what_is_wrong_is_named_as_row_by_row(write, lines, error, match):
    with pytest.raises(error, match=match):
        MetricRows.read(write(*lines))


def test_a_sum_is_of_rows_that_have_all_parts():
    found = MetricRows.of([row(x=0.1, y=0.2), row(silo="s", x=1.0)])
    np.testing.assert_array_equal(found.with_sum("z", ["x", "y"]).metrics["z"], [0.1 + 0.2, np.nan])
    assert "z" not in found.with_sum("z", ["x", "unknown"]).metrics
