# SPDX-License-Identifier: Apache-2.0
"""The command line: run, report and list, in this process."""

import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from tailweave.protocols.config.load import load_experiment
from tailweave.simulation import cli
from tailweave.simulation.environment import environment
from tailweave.simulation.request import RunOptions

REPOSITORY = Path(__file__).parents[2]


def one_generation(tiny) -> Path:
    return tiny(
        seeds=1, arms=[{"name": "alone", "rule": "random"}], recursion={"generations": 1, "samples": 60}
    )


def test_list_shows_every_section_wherever_it_is_called(tailweave, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, out, error = tailweave("list")
    assert (code, error) == (0, "")
    titles = ("configs", "data sources", "generators", "references", "rules", "metrics", "studies", "engines")
    assert set(titles) <= {line.strip() for line in out.splitlines()}
    names = {line.split()[0] for line in out.splitlines() if line.strip()}
    assert {"quickstart", "paper/crossed"} <= names
    assert "partial-transport" in out


def test_list_cuts_no_name_off(tailweave, tmp_path):
    name = "a-config-with-quite-a-long-name-that-does-not-fit-on-a-line.yaml"
    (tmp_path / name).write_text("# What it is for\nname: x\n")
    code, out, _ = tailweave("list", "--configs", tmp_path)
    assert code == 0
    assert "…" not in out
    assert "..." not in out


def test_without_a_command_there_is_help(tailweave):
    code, out, error = tailweave()
    assert code in (0, 2)
    assert "run" in out + error
    assert "report" in out + error


def test_help_lists_every_command_in_the_order_of_use(tailweave):
    listed = list(typer.main.get_command(cli.app).list_commands(None))
    assert sorted(listed) == sorted(typer.main.get_command(cli.app).commands)
    _, out, _ = tailweave("--help")
    found = [word for line in out.splitlines() for word in line.strip("│ ").split()[:1] if word in listed]
    assert (
        found
        == listed
        == [*("list", "inspect", "run", "report", "export", "score", "audit", "base", "serve", "deploy")]
    )


def test_the_version_is_that_of_what_is_installed(tailweave):
    assert tailweave("--version") == (0, f"tailweave {version('tailweave')}\n", "")


def test_a_shell_is_told_how_to_complete(tailweave, monkeypatch):
    monkeypatch.setenv("_TAILWEAVE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "tailweave re")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert tailweave()[1].split() == ["report"]


def test_an_unknown_name_is_refused_with_the_nearest(tailweave, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for command in (("run",), ("run", "--dry-run"), ("audit",)):
        code, out, error = tailweave(*command, "quickstrat")
        assert (code, out) == (2, "")
        assert "quickstrat: no such file, nor the name of a config; did you mean 'quickstart'?" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_config_is_run_and_audited_by_name(tailweave, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    short = ("--set", "seeds=1", "--set", "recursion.generations=1")
    code, out, error = tailweave("run", "quickstart", *short)
    assert code == 0, error
    assert f"report: {tmp_path}/runs/quickstart/report.html" in out
    assert "generations: 1" in (tmp_path / "runs/quickstart/config.yaml").read_text()
    code, out, _ = tailweave("run", "quickstart", "--dry-run", *short)
    assert (code, "4 arms x 1 seed" in out) == (0, True)
    code, _, error = tailweave("audit", "quickstart", *short, "--canary-runs", "100", "--questions", "100")
    assert (code, error) == (0, "")
    assert (tmp_path / "runs/quickstart-audit/audit.html").is_file()


def test_an_unknown_command_is_a_usage_error(tailweave):
    code, _, error = tailweave("audition")
    assert code == 2
    assert "audition" in error


def test_run_writes_a_report_and_says_where(tailweave, tiny, tmp_path):
    code, out, error = tailweave("run", one_generation(tiny), "--out", tmp_path / "deep" / "out")
    assert code == 0, error
    assert f"report: {tmp_path / 'deep' / 'out' / 'report.html'}" in out
    assert "tiny: generation 1" in out
    assert all(line.startswith(("note:", "privacy.")) for line in error.splitlines() if line.strip())


def test_overrides_are_kept_and_the_folder_is_named_after_the_config(tailweave, tiny, tmp_path, monkeypatch):
    config = one_generation(tiny)
    monkeypatch.chdir(tmp_path)
    code, _, error = tailweave("run", config, "--set", "recursion.samples=30", "--set", "seeds=[5]")
    assert code == 0, error
    out = tmp_path / "runs" / "tiny"
    assert "samples: 30" in (out / "config.yaml").read_text()
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert {row["seed"] for row in rows} == {5}


@pytest.mark.slow
def test_a_run_folder_is_replaced_only_by_force(tailweave, tiny, tmp_path):
    config = one_generation(tiny)
    assert tailweave("run", config, "--out", tmp_path / "out")[0] == 0
    (tmp_path / "out" / "note.txt").write_text("old")
    code, _, error = tailweave("run", config, "--out", tmp_path / "out")
    assert code == 2
    assert "exists; give another folder, --resume to go on, or --force to replace it" in error
    assert (tmp_path / "out" / "note.txt").exists()
    assert tailweave("run", config, "--out", tmp_path / "out", "--force")[0] == 0
    assert not (tmp_path / "out" / "note.txt").exists()


def test_a_bad_config_leaves_the_folder_that_force_would_replace(tailweave, tiny, tmp_path, finished):
    shutil.copytree(finished, tmp_path / "out")
    bad = tiny("bad.yaml", features={"kind": "pca", "dimensions": 65})
    assert tailweave("run", bad, "--out", tmp_path / "out", "--force")[0] == 2
    assert (tmp_path / "out" / "metrics.jsonl").read_bytes() == (finished / "metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_report_makes_the_page_again(tailweave, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    (tmp_path / "out" / "report.html").unlink()
    (tmp_path / "out" / "summary.json").unlink()
    code, out, error = tailweave("report", tmp_path / "out")
    assert (code, error) == (0, "")
    assert f"report: {tmp_path / 'out' / 'report.html'}" in out
    assert (tmp_path / "out" / "summary.json").read_bytes() == (finished / "summary.json").read_bytes()


@pytest.mark.slow
def test_two_reports_are_compared_on_one_page(tailweave, finished, tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        shutil.copytree(finished, folder)
    code, out, error = tailweave("report", *folders, "--out", tmp_path / "pages" / "both.html")
    assert code == 0, error
    assert f"comparison: {tmp_path / 'pages' / 'both.html'}" in out
    assert (tmp_path / "pages" / "both.html").exists()


def test_the_environment_says_how_to_make_the_run_again(finished):
    record = json.loads((finished / "environment.json").read_text())
    assert record["command"] == ["tailweave", "run", "tiny.yaml"]
    assert record["seeds"] == [0, 1]
    assert (record["engine"], record["workers"]) == ("in-process", 0)
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record["versions"]["flwr"].startswith("1.")
    assert set(record["hardware"]) == {"machine", "system", "cpus"}


def test_the_environment_is_plain_json(tiny):
    record = environment(load_experiment(tiny()).seeds, ("x",), engine="in-process", workers=2)
    assert json.loads(json.dumps(record)) == record


def test_options_stay_in_this_process_unless_asked():
    assert RunOptions(Path("x")).machine.workers == 0
