# SPDX-License-Identifier: Apache-2.0
"""``export`` of a run: what comes out is what was measured, the same for the same seed, or refused."""

import json
import shutil

import numpy as np
import pytest
from pyarrow import parquet

from tailweave.clients.data.npz_table import read_npz_images
from tailweave.clients.data.tables import read_table
from tailweave.clients.metrics import evaluate
from tailweave.clients.node import world_of
from tailweave.clients.samples import Numbers, Samples
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.streams import stream
from tailweave.runs import run
from tailweave.scoring import score
from tailweave.simulation.export import Wanted, export
from tailweave.simulation.finals import FINAL, keep_finals, left_in

DRAWN = 200


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    """A run on a table in units of its own, which are far from mean 0 and variance 1."""
    home = tmp_path_factory.mktemp("exported")
    rng = stream(0, "table")
    rows = rng.normal(size=(500, 2)) @ [[30.0, 1.0], [0.0, 0.02]] + [1000.0, 3.0]
    labels = np.where(rows[:, 0] > 1000.0, "high", "low")
    lines = [f"{a!r},{b!r},{c}" for (a, b), c in zip(rows.tolist(), labels, strict=True)]
    (home / "rows.csv").write_text("\n".join(["weight,dose,class", *lines]) + "\n")
    config = {
        "name": "exported",
        "seeds": 1,
        "data": {"source": "csv", "path": str(home / "rows.csv"), "label": "class"},
        "silos": {"count": 2, "partition": {"kind": "iid"}},
        "generator": {"kind": "gaussian-mixture", "components": 2},
        "recursion": {"generations": 2, "samples": 100, "candidates-per-sample": 2},
        "arms": [{"name": "plain", "rule": "random"}],
        "evaluation": {"samples": DRAWN},
    }
    with pytest.warns(UserWarning, match="differential privacy"):
        return run(config, out=home / "run").path


def test_exported_rows_measure_as_the_run_did(table_run, tmp_path):
    """The run's figure is one draw of the last model; ours are ten, reread: it lies among them."""
    world = world_of(table_run / "config.yaml", 0)
    ruler = evaluate_of(world)
    found = []
    for draw in range(10):
        out = tmp_path / f"{draw}.csv"
        export(table_run, Wanted("plain", "silo-1", rows=DRAWN, draw_seed=draw), out)
        back = read_table(out, None)
        assert back.columns == ("weight", "dose")
        centre, scale = np.array(world.train.sort.units).T
        found.append(ruler((back.values - centre) / scale))
    rows = [json.loads(line) for line in (table_run / "metrics.jsonl").read_text().splitlines()]
    told = next(r for r in rows if r["silo"] == "silo-1" and r["generation"] == 2)
    for name in ("frechet", "energy_distance", "coverage", "precision"):
        ours = np.array([one[name] for one in found])
        # a tenth draw of the same law lies within t quantiles of 1e-6 with 9 degrees of freedom: 10.6
        assert abs(told[name] - ours.mean()) <= 10.6 * ours.std(ddof=1) * np.sqrt(1.1), name


def evaluate_of(world):
    from tailweave.clients.metrics import yardstick

    ruler = yardstick(world.evaluation.values, world.evaluation.labels)
    return lambda rows: evaluate(ruler, rows, None)


def test_declared_columns_come_out_in_their_types_and_read_again(tmp_path):
    rng = stream(0, "people")
    path = tmp_path / "people.csv"
    sexes, ages = rng.choice(["f", "m", "x"], 400, p=[0.5, 0.4, 0.1]), rng.integers(18, 90, 400)
    cells = [
        f"{sex},{'' if age > 80 else age},2020-01-{day:02}"
        for sex, age, day in zip(sexes, ages, rng.integers(1, 29, 400), strict=True)
    ]
    path.write_text("\n".join(["sex,age,seen", *cells]) + "\n")
    columns = {
        "sex": {"kind": "category", "values": ["f", "m", "x"]},
        "age": {"kind": "integer", "min": 0, "max": 120, "optional": True},
        "seen": {"kind": "date", "min": "2020-01-01", "max": "2020-01-31"},
    }
    config = {
        "name": "people",
        "seeds": 1,
        "data": {"source": "csv", "path": str(path), "columns": columns},
        "silos": {"count": 1, "partition": {"kind": "iid"}},
        "generator": {"kind": "gaussian-mixture", "components": 2},
        "recursion": {"generations": 1, "samples": 100, "candidates-per-sample": 2},
        "arms": [{"name": "plain", "rule": "random"}],
    }
    with pytest.warns(UserWarning, match="differential privacy"):
        made = run(config, out=tmp_path / "run").path
    export(made, Wanted(rows=500), tmp_path / "x.parquet")
    table = parquet.read_table(tmp_path / "x.parquet")
    assert [str(field.type) for field in table.schema] == ["string", "int64", "date32[day]"]
    assert 0 < table.column("age").null_count < 250
    export(made, Wanted(rows=500), tmp_path / "x.csv")
    found = score(path, tmp_path / "x.csv", columns=columns)  # reads only what is declared
    assert found.lost == ()
    assert {"sex=x", "age=missing"} <= {group.name for group in found.groups}


def test_the_same_seed_gives_the_same_bytes_and_another_others(table_run, tmp_path):
    for name, draw in (("a", 0), ("b", 0), ("c", 1)):
        said = export(table_run, Wanted(silo="silo-0", rows=50, draw_seed=draw), tmp_path / f"{name}.parquet")
        assert "50 samples (a table of 2 columns) of --arm plain --silo silo-0 --seed 0" in said
    a, b, c = ((tmp_path / f"{name}.parquet").read_bytes() for name in "abc")
    assert a == b != c


def test_the_selected_are_those_of_the_last_generation_in_the_files_units(table_run, tmp_path):
    export(table_run, Wanted("plain", "silo-0", selected=True), tmp_path / "x.csv")
    back = read_table(tmp_path / "x.csv", None)
    assert len(back) == 100
    assert 900 < back.values[:, 0].mean() < 1100


def test_images_come_out_as_images(finished, tmp_path):
    export(finished, Wanted("sliced", "silo-2", 1, rows=5), tmp_path / "x.npz")
    assert read_npz_images(tmp_path / "x.npz", None, (1, 8, 8)).values.shape == (5, 64)
    export(finished, Wanted("sliced", "silo-2", 1, rows=5), tmp_path / "folder")
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == [f"{n}.png" for n in range(5)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--arm", "slicd", "--silo", "silo-0"], "--arm: no 'slicd' here; did you mean 'sliced'?"),
        (["--arm", "sliced", "--silo", "silo-7"], "--silo: no 'silo-7' here; did you mean 'silo-"),
        (["--arm", "sliced", "--silo", "silo-0", "--seed", "5"], "--seed: no 5 here; "),
        (["--arm", "sliced"], "--silo must be given; allowed: silo-0, silo-1, silo-2"),
        (["--arm", "sliced", "--silo", "silo-0", "--rows", "0"], "--rows must be at least 1, got 0"),
        (["--arm", "sliced", "--silo", "silo-0", "--draw-seed", "-1"], "--draw-seed must be at least 0"),
        (["--arm", "sliced", "--silo", "silo-0", "--run", "x"], "--run is for a silo's folder"),
    ],
)
def test_what_is_wrong_is_one_message_and_exit_code_2(tailweave, finished, tmp_path, given, told):
    code, _, said = tailweave("export", finished, "-o", tmp_path / "x.npz", *given)
    assert (code, said.count("error:"), "Traceback" in said) == (2, 1, False)
    assert told in said
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_stays_unless_told(tailweave, finished, tmp_path):
    out = tmp_path / "x.npz"
    out.write_text("mine")
    one = ["export", finished, "--arm", "sliced", "--silo", "silo-0", "--rows", 3, "-o"]
    code, _, said = tailweave(*one, out)
    assert (code, out.read_text()) == (2, "mine")
    assert "--force" in said
    assert tailweave(*one, out, "--force")[0] == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for name in ("full", "x.xlsx", "no/x.npz"):
        assert tailweave(*one, tmp_path / name, "--force")[0] == 2
    assert (tmp_path / "full" / "mine").read_text() == "mine"


def test_runs_without_models_are_refused_with_the_reason(finished, tmp_path):
    old = shutil.copytree(finished, tmp_path / "old", ignore=shutil.ignore_patterns(FINAL))
    with pytest.raises(ValueError, match="keeps no final models: an older tailweave made it"):
        export(old, Wanted(), tmp_path / "x.npz")
    made = json.loads((old / "environment.json").read_text())
    (old / "environment.json").write_text(json.dumps(made | {"engine": "superlink"}))
    with pytest.raises(ValueError, match="real silos keep their models themselves"):
        export(old, Wanted(), tmp_path / "x.npz")
    (old / ".state").mkdir()
    with pytest.raises(ValueError, match="is not finished; finish it with --resume"):
        export(old, Wanted(), tmp_path / "x.npz")
    with pytest.raises(ValueError, match="is not a finished run folder"):
        export(tmp_path, Wanted(), tmp_path / "x.npz")


def test_keep_mib_bounds_what_is_kept_and_says_so(finished, tmp_path):
    experiment = load_experiment(finished / "config.yaml")
    everything = left_in(finished / FINAL)
    assert len(everything) == 4 * 3 * 2  # arms, silos, seeds
    assert keep_finals(experiment.model_copy(update={"keep_mib": 0}), finished / FINAL, tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    said = keep_finals(experiment.model_copy(update={"keep_mib": 1}), finished / FINAL, tmp_path)
    kept = left_in(tmp_path / FINAL)
    assert 0 < sum(path.stat().st_size for one in kept for path in one.files) <= 2**20
    assert [str(one) for one in kept] == [str(one) for one in everything[: len(kept)]]
    assert f"{24 - len(kept)} final models are not kept for export" in said[0]


def test_models_that_are_all_too_large_are_left_out_with_a_word(finished, tmp_path):
    state = shutil.copytree(finished / FINAL, tmp_path / "state")
    for one in left_in(state):
        with one.files[0].open("r+b") as file:
            file.truncate(2 * 2**20)
    experiment = load_experiment(finished / "config.yaml").model_copy(update={"keep_mib": 1})
    (tmp_path / "run").mkdir()
    said = keep_finals(experiment, state, tmp_path / "run")
    assert "24 final models are not kept for export" in said[0]
    assert left_in(tmp_path / "run" / FINAL) == []


def test_scaled_columns_know_their_units():
    sort = Numbers(("a",), units=((5.0, 2.0),))
    assert sort.stacked(Samples.of([[1.5]], sort=sort).values).tolist() == [[8.0]]
    assert Numbers.from_description(json.loads(json.dumps(sort.described()))) == sort
    assert sort.anonymous().units is None
