# SPDX-License-Identifier: Apache-2.0
"""The study of self-labelling from configuration to page, on a miniature of the Amazon file too."""

import json
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients.samples import DataError
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.kinds.sources.bundled import BundledData
from tailweave.protocols.kinds.studies.self_labelling import Growth, SelfLabellingSpec
from tailweave.simulation.audience import SILENT
from tailweave.simulation.request import RunOptions
from tailweave.simulation.run_folder import read_rows
from tailweave.simulation.studies.base import study_of
from tailweave.simulation.studies.claims import findings
from tailweave.simulation.studies.config import load_study
from tailweave.simulation.studies.label_figures import draw_accuracy
from tailweave.simulation.studies.labelled_rows import pool_of
from tailweave.simulation.studies.run import rows_of, run_study
from tailweave.simulation.studies.self_labelling import slopes

CONFIGS = Path(__file__).parents[2] / "configs"
TREE = "classifier: {name: decision-tree, options: {max-depth: 4}}\nworkers: 1\n"
SMALL = "study: self-labelling\nseeds: [0, 1, 2]\ndata: digits\nsizes: [60, 120, 240]\nrates: [0, 0.5, 1]\n"


def loaded(folder, text):
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return load_study(path)


def reviews(path, rows=240):
    """Half good, half bad, told apart by one word in most."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(rows):
        star = number % 2 + 1
        word = {1: "awful", 2: "lovely"}[star if rng.random() < 0.9 else 3 - star]
        lines.append(f"__label__{star} Title {number}: {word} {' '.join(rng.choice(list('bcdfg'), 6))}\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_a_small_run_of_it(tmp_path):
    page = run_study(loaded(tmp_path, SMALL + TREE), RunOptions(tmp_path / "out"), SILENT)
    rows = read_rows(tmp_path / "out/metrics.jsonl")
    courses = [row for row in rows if "accuracy" in row]
    assert len(courses) == 3 * 3 * 3
    assert len(rows) == len(courses) + 3 * 2
    assert [row["size"] for row in courses[:3]] == [60, 120, 240]
    assert [row["last"] for row in courses[:3]] == [False, False, True]
    assert page.read_text(encoding="utf-8").count("<svg") == 2
    found = json.loads((tmp_path / "out/published.json").read_text())
    assert {one["section"] for one in found} == {
        "Accuracy falls with the rate",
        "Total collapse",
        "More data, worse classifier",
    }
    falls = [one for one in found if one["quantity"] == "slope of accuracy over the rate, batch 2"]
    assert falls[0]["ours"]["mean"] < 0


def test_every_start_runs_a_course_of_its_own(tmp_path):
    text = SMALL.replace("[0, 1, 2]", "[0]").replace("[0, 0.5, 1]", "[1]") + "starts: every\n"
    rows = rows_of(loaded(tmp_path, text + TREE), tmp_path)
    assert [(row["first"], row["size"]) for row in rows if "accuracy" in row] == [
        (60, 60),
        (60, 120),
        (60, 240),
        (120, 120),
        (120, 240),
        (240, 240),
    ]
    assert not [row for row in rows if "slope" in row]  # there is one rate


def test_slopes_are_least_squares():
    names = {"data": "digits", "classifier": "x", "first": 9, "size": 20, "last": True}
    rows = [
        names | {"seed": 0, "generation": 1, "rate": rate, "accuracy": accuracy}
        for rate, accuracy in ((0.0, 0.9), (0.5, 0.7), (1.0, 0.2))
    ]
    (found,) = slopes(rows)
    assert found["slope"] == pytest.approx(np.polyfit([0, 0.5, 1], [0.9, 0.7, 0.2], 1)[0], abs=1e-12)


def test_the_file_of_reviews_as_it_comes_is_learned_from(tmp_path):
    reviews(tmp_path / "test.ft.txt")
    text = "study: self-labelling\nseeds: [0, 1]\nsizes: [40, 80, 120]\nrates: [0, 1]\n"
    text += "data: {source: fasttext, path: test.ft.txt}\n"
    rows = rows_of(loaded(tmp_path, text + TREE), tmp_path)
    assert {row["data"] for row in rows} == {"fasttext"}
    ends = [row["accuracy"] for row in rows if row.get("rate") == 0.0 and row["last"]]
    assert min(ends) > 0.75  # nine in ten are told by their word


def published_rows(claims, seeds=5):
    """Rows of a run that found what was published, give or take a little that differs by seed."""
    return [
        {"seed": seed, "generation": claim.at or 0, **claim.where}
        | {claim.metric: claim.published + 0.004 * (seed - 2)}
        for claim in claims
        for seed in range(seeds)
    ]


def test_published_tables_are_compared_row_by_row():
    claims = [
        one for one in study_of(SelfLabellingSpec(study="self-labelling")).claims() if "size" in one.where
    ]
    assert len(claims) == 50 + 50 + 15 + 20
    assert len({(one.section, one.quantity) for one in claims}) == len(claims)
    rows = published_rows(claims)
    assert all(one.agrees for one in findings(claims, rows))
    worse = [row | {"accuracy": row["accuracy"] - 0.05} for row in rows]
    assert not any(one.agrees for one in findings(claims, worse))
    of = {
        (one.where["rate"], one.where["size"]): one.published for one in claims if one.where["first"] == 50000
    }
    assert (of[1.0, 50000], of[1.0, 80000], of[0.5, 60000]) == (0.8422, 0.5468, 0.8284)
    assert not findings(claims, [row | {"data": "python-docs"} for row in rows])


def test_published_accuracies_are_marked_in_the_figure():
    claims = [
        one
        for one in study_of(SelfLabellingSpec(study="self-labelling")).claims()
        if one.where.get("first") == 50000 and one.where["rate"] in (0.0, 1.0)
    ]
    rows = [row | {"above_majority": 0.3} for row in published_rows(claims)]
    (axes,) = draw_accuracy(rows, claims).axes
    marked = [line.get_xydata().tolist()[0] for line in axes.lines if line.get_marker() == "o"]
    assert sorted(marked) == sorted([one.where["size"], one.published] for one in claims)


@pytest.mark.parametrize("name", ["amazon-rates", "amazon-sizes", "amazon-collapse"])
def test_shipped_configs_have_every_row_that_was_published(name):
    spec = load_study(CONFIGS / "paper" / f"{name}.yaml")
    claims = [one for one in study_of(spec).claims() if "size" in one.where and one.where["first"] != 1000]
    mine = [
        one
        for one in claims
        if one.where["first"] in (spec.sizes if spec.starts == "every" else spec.sizes[:1])
    ]
    assert len(mine) == {"amazon-rates": 50, "amazon-sizes": 15, "amazon-collapse": 20}[name]
    for one in mine:
        assert one.where["rate"] in spec.rates
        assert one.where["size"] in spec.sizes
        assert one.at in (None, spec.sizes.index(one.where["size"]))
    with pytest.raises(DataError, match="test.ft.txt.bz2: there is no such file"):
        study_of(spec).tasks()


def test_the_shipped_config_is_the_default():
    assert load_study(CONFIGS / "self-labelling.yaml") == SelfLabellingSpec(study="self-labelling")


def test_sizes_grow_by_a_factor_or_by_a_number():
    assert Growth(first=60, last=250, times=1.6).listed == (60, 96, 154, 246)
    assert Growth(first=2, last=6, times=1.3).listed == (2, 3, 4, 6)  # 2, 2.6, 3.38 and 4.39 (the same), 5.7
    assert Growth(first=50000, last=80000, add=1000).listed[::30] == (50000, 80000)


def test_test_rows_differ_by_seed_and_are_never_learned_from():
    data = BundledData(source="breast-cancer")
    first, again, other = (pool_of(data, seed, data_seed=0) for seed in (0, 0, 1))
    assert first.test.tolist() == again.test.tolist() != other.test.tolist()
    assert sorted([*first.train, *first.test]) == list(range(569))
    assert len(first.test) == round(0.4 * 569)
    assert first.classes == ("benign", "malignant")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("rates: [0, 1.5]\n", "rates.1: input should be less than or equal to 1, got 1.5"),
        ("rates: [0.5, 0.5]\n", "rates: rates must differ, got 0.5, 0.5"),
        ("sizes: [60, 50]\n", "sizes: they must rise, got 50 after 60"),
        ("sizes: {first: 5, last: 50}\n", "sizes: give times or add, one of them"),
        ("sizes: {first: 60, last: 50, add: 1}\n", "sizes: first must be at most last = 50, got 60"),
        ("sizes: {first: 60, last: 50000, add: 1}\n", "sizes: .* at most 1000"),
        ("sizes: {frist: 60, last: 90, add: 1}\n", "frist: unknown key; did you mean 'first'"),
        ("classifier: Random Forest\n", "classifier.name"),
        ("starts: all\n", "starts: 'all' is unknown"),
    ],
)
def test_bad_configurations_are_refused(tmp_path, changed, message):
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, "study: self-labelling\n" + changed)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ("classifier: random-forrest\n", "no classifier 'random-forrest'; nearest: 'random-forest'"),
        (
            "data: {source: csv, path: one.csv, label: kind}\n",
            "data: found one class only, 'a', needed: labels",
        ),
        ("data: {source: csv, path: bare.csv}\n", "data: found no labels, needed: labels of two classes"),
        ("sizes: [60, 5000]\n", "sizes: the last size is 5000 rows, but only 1078 are there to train on"),
        (
            "data: {source: fasttext, path: good.txt}\nclassifier: hist-gradient-boosting\nsizes: [2, 3]\n",
            "classifier hist-gradient-boosting cannot be trained here: Sparse data was passed",
        ),
        ("data: {source: fasttext, path: bad.txt}\n", "bad.txt, line 2: found no label but 'no' in front"),
    ],
)
def test_data_that_do_not_fit_are_refused_before_a_folder_is_made(tmp_path, changed, message):
    (tmp_path / "one.csv").write_text("x,kind\n" + "".join(f"{k},a\n" for k in range(9)))
    (tmp_path / "bare.csv").write_text("x\n1\n2\n3\n")
    (tmp_path / "bad.txt").write_text("__label__1 a\nno label\n")
    (tmp_path / "good.txt").write_text("__label__1 a good one\n__label__2 a bad one\n" * 4)
    data = "" if "data" in changed else "data: digits\n"
    spec = loaded(tmp_path, f"study: self-labelling\n{data}{changed}")
    with pytest.raises(ValueError, match=message):
        run_study(spec, RunOptions(tmp_path / "out"), SILENT)
    assert not (tmp_path / "out").exists()
