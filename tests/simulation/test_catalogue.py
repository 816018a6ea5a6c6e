# SPDX-License-Identifier: Apache-2.0
"""The list of what there is: complete, because it is read from the configuration's own types."""

from pathlib import Path

import pytest

from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.rules import RULES
from tailweave.simulation.catalogue import catalogue
from tailweave.simulation.engines import ENGINES

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def sections() -> dict[str, dict[str, str]]:
    return {title: dict(entries) for title, entries in catalogue()}


def test_everything_of_the_configuration_is_listed(sections):
    assert list(sections["rules"]) == list(RULES.kinds)
    assert set(sections["references"]) == set(REFERENCES.kinds)
    assert set(sections["generators"]) == {
        "gaussian",
        "gaussian-mixture",
        "diffusion",
        "language-model",
        "self-labelling",
        "vae",
    }
    assert set(sections["partitions"]) == {
        "iid",
        "by-class",
        "by-column",
        "by-file",
        "dirichlet",
        "ex-dirichlet",
        "by-quantile",
    }
    assert {
        "digits",
        "breast-cancer",
        "wine",
        "gaussian-modes",
        "hub",
        "idx",
        "csv",
        "npz",
        "image-folder",
        "hashed-text",
        "text-folder",
        "jsonl",
        "python-docs",
    } <= set(sections["data sources"])
    assert set(sections["features"]) == {
        "identity",
        "standard",
        "pca",
        "random-projection",
        "encoder",
        "hidden-states",
        "tf-idf",
    }
    assert set(sections["engines"]) == set(ENGINES)
    assert set(sections["studies"]) >= {"gaussian", "families", "transport", "plural-rewards"}
    assert {"frechet", "coverage", "recall"} <= set(sections["metrics"])


def test_every_entry_has_one_line(sections):
    for title, entries in sections.items():
        for name, line in entries.items():
            assert line.strip(), f"{title}: {name}"
            assert "\n" not in line


def test_kinds_for_one_sort_of_sample_say_so(sections):
    assert sections["rules"]["rouge"].endswith("(highest ROUGE-1 F). [text only]")
    assert sections["features"]["encoder"].endswith("[image only]")
    assert "only]" not in sections["rules"]["herding"] + sections["metrics"]["frechet"]


def test_configs_are_listed_with_their_first_comment(sections):
    listed = sections["configs"]
    assert list(listed) == sorted(listed)
    assert {name.split("/")[-1] for name in listed} == {p.stem for p in REPOSITORY.glob("configs/**/*.yaml")}
    first = (REPOSITORY / "configs" / "quickstart.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert listed["quickstart"] == first.removeprefix("# ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# Some words\nname: x\n", "Some words"),
        ("name: x\n", "x"),
        ("", "not an experiment"),
        ("- 1\n", "not an experiment"),
        ("a: [", "not an experiment"),
    ],
)
def test_any_file_in_the_folder_can_be_listed(tmp_path, text, line):
    (tmp_path / "one.yaml").write_text(text)
    assert dict(catalogue(tmp_path))["configs"] == [(str(tmp_path / "one.yaml"), line)]


def test_a_missing_folder_lists_no_configs(tmp_path):
    assert dict(catalogue(tmp_path / "none"))["configs"] == []
