# SPDX-License-Identifier: Apache-2.0
"""``score``: what was lost is named, what was not is not, and what cannot be compared is refused."""

import json

import numpy as np
import pyarrow
import pytest
from pyarrow import csv, parquet
from scipy.stats import binom

from tailweave.clients.data.written import write_samples
from tailweave.clients.metrics.lost_groups import lost_groups
from tailweave.clients.samples import Images, Samples, unnamed
from tailweave.protocols.streams import stream
from tailweave.scoring import score
from tailweave.simulation.score.groups import count_groups

ROWS = 600


def people(rows: int = ROWS, *path: str) -> dict[str, np.ndarray]:
    rng = stream(0, "people", *path)
    region = rng.choice(["north", "south", "isle"], rows, p=[0.6, 0.35, 0.05])
    return {
        "age": rng.normal(50, 12, rows).round(1),
        "region": region,
        "smoker": rng.choice(["no", "yes"], rows, p=[0.8, 0.2]),
        "outcome": rng.choice(["well", "ill"], rows, p=[0.9, 0.1]),
    }


def write(path, columns):
    csv.write_csv(pyarrow.table(columns), path)
    return path


@pytest.fixture
def real(tmp_path):
    return write(tmp_path / "real.csv", people())


def without(columns, gone):
    return {name: values[~gone] for name, values in columns.items()}


def test_a_level_that_is_gone_is_named_and_nothing_else(real, tmp_path):
    drawn = people(ROWS, "other")
    found = score(real, write(tmp_path / "b.csv", without(drawn, drawn["region"] == "isle")), label="outcome")
    assert found.lost == ("region=isle",)
    by_name = {group.name: group for group in found.groups}
    assert by_name["outcome=ill"].verdict == "kept"
    assert by_name["region=isle"].interval[1] < 0.5
    assert found.distances["frechet"].real.mean < found.distances["frechet"].synthetic.high


def test_a_pair_of_levels_that_is_gone_is_named(tmp_path):
    def given(*path):
        columns = people(3000, *path)
        return columns, (columns["region"] == "south") & (columns["smoker"] == "yes")

    columns, pair = given()
    other, gone = given("other")
    some = pair & (stream(0, "rare").random(3000) > 0.2)  # a rare pair: a fifth of it is left
    found = score(
        write(tmp_path / "a.csv", without(columns, some)), write(tmp_path / "b.csv", without(other, gone))
    )
    assert found.lost == ("region=south & smoker=yes",)


def test_a_mode_that_is_gone_is_named_where_there_are_no_categories():
    rng = stream(0, "modes")
    rows, made = rng.normal(size=(800, 3)), rng.normal(size=(700, 3))
    rows[:40] += 9.0
    found = score(rows, made)
    assert len(found.lost) == 1
    assert "≈ 9." in found.lost[0] or "≈ 8." in found.lost[0]


def test_images_with_classes_are_read_from_folders(tmp_path):
    rng = stream(0, "images")
    sort = Images(unnamed(4), shape=(1, 2, 2))
    folders = []
    for name, classes in (("a", ["cat", "dog", "owl"]), ("b", ["cat", "dog", "dog"])):
        samples = Samples.of(rng.random((150, 4)), rng.choice(classes, 150), sort)
        write_samples(samples, tmp_path / name, "class")
        folders.append(tmp_path / name)
    assert score(*folders).lost == ("label=owl",)
    arrays = rng.random((40, 1, 2, 2)), rng.random((30, 1, 2, 2))
    assert score(*arrays).compared == "images 1x2x2"


def test_halves_raise_an_alarm_as_seldom_as_stated():
    """Categories with pairs, and modes: 5 % of halves may; more than the bound once in a million."""
    rng, alarms, runs = stream(2, "halves"), 0, 60
    rows = Samples.of(rng.normal(size=(500, 2)) ** 3)
    for _ in range(runs):
        order = rng.permutation(len(rows))
        halves = rows.take(order[:250]), rows.take(order[250:])
        counted = count_groups(*halves, "label")
        found = lost_groups(
            [c.name for c in counted], [c.real for c in counted], [c.synthetic for c in counted], (250, 250)
        )
        alarms += any(group.verdict in ("lost", "thinner") for group in found)
    assert alarms <= binom.isf(1e-6, runs, 0.05)


def test_copies_are_counted_and_one_file_for_both_is_said(real):
    found = score(real, real)
    assert (found.copied, found.lost) == (ROWS, ())
    assert found.notes == ("both sides hold the same rows: is one file given for both?",)
    rows = stream(0, "copied").normal(size=(100, 2))
    found = score(rows, np.vstack([rows[:30], rows[:30] + 1e-9]))
    assert (found.copied, found.repeated, found.notes) == (30, 0, ())
    assert "they are copies" in score(rows, rows[:30]).notes[0]
    few = np.repeat([[0.0], [1.0]], 50, axis=0)  # of two values everybody's rows are
    assert score(few, few[20:70]).notes == ()


def test_declared_columns_say_what_missing_is(tmp_path):
    columns = people(200) | {"id": np.arange(200)}
    ages = columns["age"].astype(str)
    ages[:40] = "-999"
    columns["age"] = ages
    a = write(tmp_path / "a.csv", columns)
    ages[:40] = "50.0"
    b = write(tmp_path / "b.csv", columns)
    spec = {
        "age": {"kind": "number", "min": 0, "max": 120, "optional": True, "missing": [-999]},
        "region": {"kind": "category", "values": ["north", "south", "isle"]},
        "smoker": "boolean",
        "outcome": {"kind": "category", "values": ["well", "ill"]},
        "id": "ignore",
    }
    found = score(a, b, columns=spec, label="outcome")
    assert found.lost == ("age=missing",)
    with pytest.raises(ValueError, match="real rows are not what is declared: column 'age': 40 cells"):
        score(a, b, columns=spec | {"age": {"kind": "number", "min": 0}}, label="outcome")
    with pytest.raises(ValueError, match="not declared: smoker"):
        score(a, b, columns={name: one for name, one in spec.items() if name != "smoker"}, label="outcome")


def test_a_level_of_an_ordered_category_is_a_group(tmp_path):
    rng = stream(0, "ordered")
    stages = rng.choice(["I", "II", "III"], 400, p=[0.6, 0.3, 0.1])
    a = write(tmp_path / "a.csv", {"stage": stages, "x": rng.normal(size=400)})
    b = write(
        tmp_path / "b.csv", {"stage": np.where(stages == "III", "II", stages), "x": rng.normal(size=400)}
    )
    spec = {"stage": {"kind": "category", "values": ["I", "II", "III"], "ordered": True}, "x": "number"}
    assert score(a, b, columns=spec).lost == ("stage=III",)


def test_what_synthetic_rows_alone_have_is_noted_and_no_group():
    found = score(
        Samples.of(np.arange(40.0)[:, None], ["a"] * 40),
        Samples.of(np.arange(40.0)[:, None], ["a", "b"] * 20),
    )
    assert [group.name for group in found.groups] == ["label=a"]
    assert "synthetic rows alone have label=b" in found.notes[0]
    assert score([[0.0]], [[1.0]]).headline == "No group can be judged: too few rows"


def test_a_csv_may_be_written_otherwise(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a;b\n" + "".join(f"{i},5;{'xyz'[i % 3]}\n" for i in range(60)))
    found = score(path, path, columns={"data": {"delimiter": ";", "decimal": ","}})
    assert [group.name for group in found.groups] == ["b=x", "b=y", "b=z"]


@pytest.mark.parametrize(
    ("changed", "label", "message"),
    [
        (lambda c: {"x" if n == "age" else n: v for n, v in c.items()}, None, "real .* age; .* have x"),
        (lambda c: {n: v for n, v in c.items() if n != "outcome"}, "outcome", "in the real rows alone"),
        (lambda c: c, "outcom", "there is no column 'outcom'; there are: age, "),
        (lambda c: {n: v[:0] for n, v in c.items()}, None, "rows"),
        (lambda c: c | {"age": np.repeat("old", ROWS)}, None, "'age' .numbers in the real rows, text in"),
    ],
)
def test_sides_that_do_not_fit_are_refused(real, tmp_path, changed, label, message):
    with pytest.raises(ValueError, match=message):
        score(real, write(tmp_path / "b.csv", changed(people())), label=label)


@pytest.mark.parametrize("told", [lambda flags: flags.astype(str), lambda flags: flags.astype(int)])
def test_a_flag_of_parquet_is_that_of_a_csv(tmp_path, told):
    flags = stream(0, "flags").random(300) < 0.4
    days = np.datetime64("2024-01-01") + np.arange(300)
    parquet.write_table(pyarrow.table({"f": flags, "d": days}), tmp_path / "real.parquet")
    found = score(
        tmp_path / "real.parquet", write(tmp_path / "b.csv", {"f": told(flags), "d": days.astype(str)})
    )
    assert found.lost == ()


def test_few_rows_that_are_wide_are_scored():
    rows = stream(0, "wide").normal(size=(40, 80))
    assert score(rows[:20], rows[20:]).lost == ()


def test_samples_must_be_alike():
    rows = np.zeros((3, 2))
    with pytest.raises(ValueError, match="columns are declared for tables"):
        score(rows, rows, columns={"a": "number"})
    with pytest.raises(ValueError, match="label: 'y' names nothing: neither side has labels"):
        score(rows, rows, label="y")
    with pytest.raises(ValueError, match="synthetic rows alone have some"):
        score(Samples.of(rows), Samples.of(rows, ["a", "b", "c"]))
    with pytest.raises(ValueError, match="both sides must be alike"):
        score(rows, np.zeros((3, 5)))
    with pytest.raises(ValueError, match="synthetic must be a path, samples, a data frame or an array"):
        score(rows, object())


def test_the_command_prints_writes_and_says_by_its_exit_code(tailweave, real, tmp_path):
    drawn = people(ROWS, "other")
    b = write(tmp_path / "b.csv", without(drawn, drawn["region"] == "isle"))
    page, figures = tmp_path / "page.html", tmp_path / "score.json"
    asked = ["score", "--real", real, "--synthetic", b, "--page", page, "--json", figures]
    code, said, _ = tailweave(*asked)
    assert (code, said.splitlines()[-1].split(" lost: ")[1]) == (0, "region=isle")
    assert max(map(len, said.splitlines())) <= 80
    assert tailweave(*asked, "--fail-on-loss")[0] == 1
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert (found["lost"], found["false-alarm-rate"]) == (["region=isle"], 0.05)
    html = page.read_text(encoding="utf-8")
    assert "region=isle" in html
    assert "<script" not in html
    code, _, told = tailweave("score", "--real", real, "--synthetic", tmp_path / "no.csv")
    assert (code, "no.csv" in told, "Traceback" in told) == (2, True, False)
    assert tailweave(*asked[:-1], tmp_path / "no" / "x.json")[0] == 2
