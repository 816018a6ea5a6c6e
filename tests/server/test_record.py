# SPDX-License-Identifier: Apache-2.0
"""The run folder as the server writes it."""

import json

import numpy as np
import pytest

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import HelloReply, RetrainReply, SummariseReply
from tailweave.protocols.records import encode, size
from tailweave.server.journal import JournalError
from tailweave.server.record import Record

HEAD = {"run": "r", "seed": 3, "silo": "north"}
VALUES = np.array([[0.1, 0.2], [0.3, 1 / 3]])
SKETCH = {"sums": np.arange(6.0).reshape(3, 2), "count": np.array([40.0])}


def retrain(values=VALUES) -> RetrainReply:
    places = {"generations": np.array([4.0, 4.0, 5.0, 5.0]), "metrics": np.array([0.0, 1.0, 0.0, 1.0])}
    arrays = {**places, "values": np.asarray(values).ravel()}
    return RetrainReply(**HEAD, arm="siloed", start=4, stop=5, names=("coverage", "density"), arrays=arrays)


def summary() -> SummariseReply:
    spec = SlicedReference(kind="sliced", directions=3, coefficients=2)
    return SummariseReply(
        **HEAD, reference=spec, privacy=PrivacySpec(epsilon=2), noise="seeded", arrays=SKETCH
    )


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_metrics_are_one_row_a_generation_without_loss(tmp_path):
    record = Record(tmp_path)
    record.measured(retrain())
    record.close()
    assert lines(tmp_path, "metrics.jsonl") == [
        {"arm": "siloed", "seed": 3, "silo": "north", "generation": 4, "coverage": 0.1, "density": 0.2},
        {"arm": "siloed", "seed": 3, "silo": "north", "generation": 5, "coverage": 0.3, "density": 1 / 3},
    ]


def test_the_wire_tells_fields_shapes_and_bytes_of_every_message(tmp_path):
    record = Record(tmp_path)
    hello = HelloReply(**HEAD, columns=2, rows_at_least=20)
    for reply in (hello, summary(), retrain()):
        record.left_silo("north", reply, size(encode(reply)))
    record.close()
    first, second, third = lines(tmp_path, "wire.jsonl")
    assert [row["kind"] for row in (first, second, third)] == ["hello", "sliced", "retrain"]
    assert [row["round"] for row in (first, second, third)] == ["hello", "summarise", "retrain"]
    assert set(first["fields"]) == {"run", "seed", "silo", "columns", "rows-at-least"}
    assert second["fields"]["sums"] == {"shape": [3, 2], "dtype": "float64"}
    assert third["fields"]["values"] == {"shape": [4], "dtype": "float64"}
    assert third["fields"]["names"]["shape"] == [2]
    assert (first["arm"], second["arm"], third["arm"]) == (None, None, "siloed")
    assert all(row["silo"] == "north" and row["seed"] == 3 for row in (first, second, third))
    assert second["privacy"] == {"epsilon": 2.0, "delta": 1e-6, "noise": "seeded"}
    assert first["arrays"] is None
    assert third["arrays"] is None
    with np.load(tmp_path / second["arrays"], allow_pickle=False) as stored:
        assert {name: stored[name].tolist() for name in stored.files} == {
            n: a.tolist() for n, a in SKETCH.items()
        }


def test_bytes_count_body_and_arrays(tmp_path):
    record = Record(tmp_path)
    record.left_silo("north", summary(), size(encode(summary())))
    record.close()
    bytes_ = lines(tmp_path, "wire.jsonl")[0]["bytes"]
    payload = (6 + 1) * 8 + len(summary().model_dump_json(by_alias=True, exclude={"schema_version"}))
    # On top come one NPY header of 128 bytes an array and the two other texts of the body.
    assert payload + 2 * 128 < bytes_ < payload + 2 * 128 + 40


def test_quantized_summaries_are_named_so(tmp_path):
    record = Record(tmp_path)
    arrays = {"centroids": np.zeros((1, 2)), "counts": np.ones(1), "variances": np.ones((1, 2))}
    reply = SummariseReply(
        **HEAD,
        reference=QuantizedReference(kind="quantized"),
        privacy=PrivacySpec(),
        noise="none",
        arrays=arrays,
    )
    record.left_silo("north", reply, 1)
    record.close()
    assert lines(tmp_path, "wire.jsonl")[0]["kind"] == "quantized"


def test_refusals_are_told_and_written(tmp_path):
    record = Record(tmp_path)
    record.refused(seed=3, kind="retrain", silo="north", arm="siloed", reason="late")
    record.quarantined(seed=3, silo="south", reason="far")
    record.close()
    assert record.refusals == ["north (retrain): late", "south (quarantine): far"]
    assert lines(tmp_path, "events.jsonl") == [
        {
            "event": "refused",
            "seed": 3,
            "round": "retrain",
            "arm": "siloed",
            "silo": "north",
            "reason": "late",
        },
        {
            "event": "quarantined",
            "seed": 3,
            "round": "summarise",
            "arm": None,
            "silo": "south",
            "reason": "far",
        },
    ]


def test_opened_again_it_continues_and_refuses_other_numbers(tmp_path):
    for _ in range(2):
        record = Record(tmp_path)
        record.left_silo("north", summary(), 9)
        record.measured(retrain())
        record.close()
    assert len(lines(tmp_path, "metrics.jsonl")) == 2
    assert [file.name for file in (tmp_path / "wire").iterdir()] == ["000000.npz"]
    with pytest.raises(JournalError, match="metrics.jsonl: line 2 differs"):
        Record(tmp_path).measured(retrain(VALUES + [[0.0, 0.0], [0.0, 1e-16]]))


def test_one_silo_keeps_its_place_among_the_files(tmp_path):
    record = Record(tmp_path)
    for _ in range(3):
        record.left_silo("north", summary(), 9)
    record.close()
    assert [row["arrays"] for row in lines(tmp_path, "wire.jsonl")] == [
        f"wire/00000{i}.npz" for i in range(3)
    ]
