# SPDX-License-Identifier: Apache-2.0
"""What a user gets wrong: exit 2, one message with what, where and what is allowed, and no folder."""

import re
import sys

import pytest
import yaml

from tailweave.simulation import cli

GOOD = "x,y,kind\n" + "".join(f"{i},{i * i % 7},{'ab'[i % 2]}\n" for i in range(60))
CSV = {"data": {"source": "csv", "path": "own.csv", "label": "kind"}, "features": {"kind": "standard"}}
IID = {"silos": {"count": 3, "partition": {"kind": "iid"}}}


def table(text: str | bytes, **keys) -> dict:
    return {"table": text} | CSV | IID | {"generator": {"kind": "gaussian"}} | keys


CASES = {
    "unknown key": ({"genrator": {}}, (), [r"tiny.yaml: genrator: unknown key; did you mean 'generator'\?"]),
    "unknown key inside": (
        {"recursion": {"generations": 3, "sample": 9}},
        (),
        ["recursion.sample: unknown key", "did you mean 'samples'", "allowed: .*candidates-per-sample"],
    ),
    "missing key": ({"recursion": {"generations": 3}}, (), ["recursion.samples: missing; it must be given"]),
    "wrong type": (
        {"recursion": {"generations": "many", "samples": 9}},
        (),
        ["recursion.generations: input should be a valid integer", "got 'many'"],
    ),
    "out of range": ({"recursion": {"generations": 0, "samples": 9}}, (), ["recursion.generations", "got 0"]),
    "n above N": (
        {"recursion": {"generations": 3, "samples": 60, "candidates-per-sample": 0.5}},
        (),
        ["cannot select n = 60 samples from N = 30 candidates", "at least 1, got 0.5"],
    ),
    "silo below min-cluster-size": (
        {"privacy": {"min-cluster-size": 80}},
        (),
        ["every silo needs at least 80 training rows, but silo-0 has 72", "use fewer silos"],
    ),
    "more dimensions than columns": (
        {"features": {"kind": "pca", "dimensions": 65}},
        (),
        ["features.dimensions must be at most the data's 64 columns, got 65"],
    ),
    "more classes a silo than classes": (
        {"silos": {"count": 3, "partition": {"kind": "by-class", "classes-per-silo": 11}}},
        (),
        ["classes-per-silo must be at most the number of classes, 10", "got 11"],
    ),
    "unknown class weight": (
        {"public": {"class-weights": {"zehn": 0.1}}},
        (),
        ["public.class-weights: no class 'zehn'", "known: 0, 1, 2"],
    ),
    "more components than samples": (
        {"generator": {"kind": "gaussian-mixture", "components": 61}},
        (),
        ["generator.components must be at most recursion.samples = 60, got 61"],
    ),
    "rule without reference": (
        {"arms": [{"name": "a", "rule": "herding"}]},
        (),
        ["arms.0", "rule herding needs a reference"],
    ),
    "NaN in a numeric column": (
        table(GOOD.replace("\n5,4,", "\n5,nan,")),
        (),
        [r"own.csv, line 7, column 'y': found 'nan', allowed: a finite number"],
    ),
    "text in a numeric column": (
        table(GOOD.replace("\n5,4,", "\n5,four,")),
        (),
        [r"own.csv, line 7, column 'y': found 'four', allowed: a finite number"],
    ),
    "missing label column": (
        table(GOOD.replace("kind", "sort")),
        (),
        ["own.csv, line 1: no column 'kind'; .*known: x, y, sort"],
    ),
    "empty file": (table(""), (), ["own.csv: the file is empty; line 1 must name the columns"]),
    "header only": (table("x,y,kind\n"), (), ["own.csv: there are no rows"]),
    "missing file": (CSV | IID, (), ["own.csv: there is no such file"]),
    "not a table": (
        table(b"\x89PNG\r\n\x1a\n\x00\xff"),
        (),
        ["own.csv, line 1: found bytes that are not UTF-8"],
    ),
    "too few rows": (table("x,y,kind\n1,2,a\n"), (), ["needs at least 2 rows"]),
    "constant table": (
        table("x,y,kind\n" + "1,2,a\n" * 60),
        (),
        ["data: the 24 evaluation rows are all equal"],
    ),
    "unknown engine": ({}, ("--engine", "warp"), ["--engine: 'warp' is unknown; allowed: in-process"]),
    "negative workers": ({}, ("--workers", "-1"), ["--workers must be 0 or more, got -1"]),
    "resume and force": ({}, ("--resume", "--force"), ["give one of them"]),
    "resume without a run": ({}, ("--resume",), [r"--resume: .*out holds no run to go on with"]),
    "override of nothing": ({}, ("--set", "recursion.generation=3"), ["recursion.generation: unknown key"]),
    "override without value": ({}, ("--set", "seeds"), ["--set seeds: write it as key.path=value"]),
    "config missing": (None, (), ["tiny.yaml: no such file"]),
    "not YAML": ("name: [", (), ["tiny.yaml: not valid YAML", "line 2"]),
    "not a mapping": ("- 1\n", (), ["tiny.yaml: an experiment is a mapping of keys, found list"]),
    "empty config": ("", (), ["tiny.yaml: an experiment is a mapping"]),
}


@pytest.fixture
def stage(tiny, tmp_path):
    """Return a writer of one case; it returns the arguments of the command."""

    def write(config: dict | str | None, arguments: tuple[str, ...]) -> list[str]:
        path = tmp_path / "tiny.yaml"
        if isinstance(config, dict):
            keys = dict(config)
            text = keys.pop("table", None)
            if text is not None:
                (tmp_path / "own.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
            path = tiny(seeds=1, **keys)
        elif config is not None:
            path.write_text(config)
        return ["run", str(path), "--out", str(tmp_path / "out"), *arguments]

    return write


def command(arguments: list[str], monkeypatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tailweave", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def check(code: int, out: str, error: str, wanted: list[str]) -> None:
    assert code == 2, error
    assert out == ""
    assert error.startswith("error: ")
    assert error.count("error: ") == 1
    assert "Traceback" not in error
    assert "pydantic" not in error
    for pattern in wanted:
        assert re.search(pattern, error), error


@pytest.mark.parametrize(("config", "arguments", "wanted"), CASES.values(), ids=list(CASES))
def test_bad_input_is_one_message_and_no_folder(
    stage, monkeypatch, capsys, tmp_path, config, arguments, wanted
):
    code = command(stage(config, arguments), monkeypatch)
    out, error = capsys.readouterr()
    check(code, out, error, wanted)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", ["unknown key", "text in a numeric column"])
def test_the_real_process_behaves_the_same(stage, command_line, tmp_path, case):
    config, arguments, wanted = CASES[case]
    process = command_line(*stage(config, arguments))
    out, error = process.communicate(timeout=60)
    check(process.returncode, out, error, wanted)
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_left_as_it_is(stage, monkeypatch, capsys, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("three years")
    for arguments, wanted in (((), "out exists; give another folder"), (("--force",), "is not a run folder")):
        code = command(stage({}, arguments), monkeypatch)
        check(code, *capsys.readouterr(), [wanted])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_an_existing_file_is_left_as_it_is(stage, monkeypatch, capsys, tmp_path):
    (tmp_path / "out").write_text("three years")
    code = command(stage({}, ()), monkeypatch)
    check(code, *capsys.readouterr(), ["out exists"])
    assert (tmp_path / "out").read_text() == "three years"


def test_another_experiment_is_not_resumed(stage, monkeypatch, capsys, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.yaml").write_text(yaml.safe_dump({"name": "other"}))
    code = command(stage({}, ("--resume",)), monkeypatch)
    check(code, *capsys.readouterr(), ["is of another experiment than the one given"])


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_a_report_needs_a_finished_run(monkeypatch, capsys, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    code = command(["report", str(tmp_path / folder)], monkeypatch)
    check(code, *capsys.readouterr(), ["is not a finished run folder", "finish the run with --resume"])
