# SPDX-License-Identifier: Apache-2.0
"""A study from configuration to page, by the contract that all of them have."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.kinds.studies.families import FamiliesSpec
from tailweave.protocols.kinds.studies.gaussian import GaussianSpec
from tailweave.protocols.kinds.studies.transport import TransportSpec
from tailweave.simulation.audience import SILENT, Audience
from tailweave.simulation.request import RunOptions
from tailweave.simulation.run_folder import STATE
from tailweave.simulation.studies.base import study_of
from tailweave.simulation.studies.config import dump_study, is_study, load_study
from tailweave.simulation.studies.run import rows_of, run_study, write_study_report
from tailweave.simulation.studies.spreading import spread

REPOSITORY = Path(__file__).parents[2]
CONFIGS = REPOSITORY / "configs"
SMALL = {
    "gaussian": """study: gaussian
samples: [10, 20]
isotropic-samples: 10
alpha: 0.5
generations: 4
seeds: [42, 7, 1]
""",
    "families": """study: families
samples: [10]
alpha: 0.5
generations: 4
judge-every: 2
dimensions: 3
seeds: [1, 2]
""",
    "transport": """study: transport
samples: 10
rounds: 3
barycenter-samples: [8]
seeds: [0]
""",
}


def write(folder, text):
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rows_in(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("study", SMALL)
def test_a_small_study_fills_its_folder(study, tmp_path):
    config = write(tmp_path, SMALL[study] + "workers: 1\n")
    spec = load_study(config)
    page = run_study(spec, RunOptions(tmp_path / "out", command=("x",)), SILENT)
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == len(list((tmp_path / "out/figures").glob("*.svg"))) > 0
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html
    assert ("reveal projections of real rows" in html) == (study == "transport")
    assert load_study(tmp_path / "out/config.yaml") == spec
    rows = rows_in(tmp_path / "out")
    assert all({"seed", "samples", "generation"} <= row.keys() for row in rows)
    assert json.loads((tmp_path / "out/environment.json").read_text())["seeds"] == list(spec.seeds)
    assert not (tmp_path / "out" / STATE).exists()
    before = page.read_bytes()
    assert write_study_report(tmp_path / "out").read_bytes() == before


@pytest.mark.slow
def test_gaussian_rows_are_complete_sorted_and_the_same_for_any_number_of_workers(tmp_path):
    found = []
    for workers in (1, 2):
        (tmp_path / str(workers)).mkdir()
        spec = load_study(write(tmp_path, f"{SMALL['gaussian']}workers: {workers}\n"))
        found.append(rows_of(spec, tmp_path / str(workers)))
    one, two = found
    assert one == two
    assert len(one) == (4 * 2 + 1) * 3 * 5
    assert [row["seed"] for row in one[::5][:3]] == [42, 7, 1]
    assert [row["generation"] for row in one[:5]] == [0, 1, 2, 3, 4]


def test_findings_name_verdict_and_source(tmp_path):
    text = SMALL["gaussian"].replace("[10, 20]", "[100]").replace("[42, 7, 1]", "[42]")
    spec = load_study(write(tmp_path, text + "workers: 1\n"))
    page = run_study(spec, RunOptions(tmp_path / "out"), SILENT)
    found = json.loads((tmp_path / "out/published.json").read_text(encoding="utf-8"))
    trace = next(one for one in found if one["quantity"] == "Tr(S₁) of replace, seed 42, n = 100")
    assert trace["verdict"] == "agrees"
    assert trace["ours"]["mean"] == pytest.approx(77.74012441488273, abs=1e-9)
    # alpha = .5 is not what was published
    select = next(one for one in found if "replace+select" in one["section"])
    assert select["verdict"] == "differs"
    assert "Where ours differs" in page.read_text(encoding="utf-8")


def test_tasks_that_are_done_are_not_done_again(tmp_path):
    journal, asked, told = tmp_path / "tasks.jsonl", [], []

    def job(task):
        asked.append(task)
        if task == "c" and asked.count("c") == 1:
            raise ValueError("the disk is full")
        return [{"task": task, "x": 0.1}]

    with pytest.raises(ValueError, match="the disk is full"):
        spread(job, ["a", "b", "c", "d"], 1, journal)
    with journal.open("a") as file:
        file.write('{"task": 2, "ro')  # what a kill in the middle of a line leaves
    found = spread(job, ["a", "b", "c", "d"], 1, journal, lambda done, total: told.append((done, total)))
    assert found == [[{"task": name, "x": 0.1}] for name in "abcd"]
    assert asked == ["a", "b", "c", "c", "d"]
    assert told == [(3, 4), (4, 4)]


@pytest.mark.slow
def test_a_study_killed_on_its_way_goes_on_and_ends_with_the_same_bytes(tmp_path, tailweave):
    """SIGKILL of the real process after its first task."""
    config = write(tmp_path, SMALL["families"])
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    assert tailweave("run", config, "--out", whole)[0] == 0
    command = [sys.executable, "-m", "tailweave.simulation.cli", "run", str(config), "--out", str(torn)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    journal, end = torn / STATE / "tasks.jsonl", time.monotonic() + 120
    while not (journal.is_file() and journal.stat().st_size) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = journal.read_bytes().count(b"\n")
    assert 1 <= done < 32
    assert not (torn / "metrics.jsonl").exists()
    code, _, error = tailweave("report", torn)
    assert (code, "metrics.jsonl is missing; finish it by --resume" in error) == (2, True)
    code, _, error = tailweave("run", config, "--out", torn, "--resume", "--set", "alpha=0.25")
    assert (code, "config.yaml is of another experiment than the one given: alpha differ" in error) == (
        2,
        True,
    )
    assert tailweave("run", config, "--out", torn, "--resume")[0] == 0
    for name in ("metrics.jsonl", "published.json", "config.yaml"):
        assert (torn / name).read_bytes() == (whole / name).read_bytes()


def test_progress_set_and_resume_of_a_finished_study(tmp_path, tailweave):
    config = write(tmp_path, SMALL["transport"])
    out = tmp_path / "out"
    code, said, error = tailweave("run", config, "--out", out, "--set", "rounds=2", "--workers", 1)
    assert code == 0, error
    assert f"report: {out / 'report.html'}" in said
    spec = load_study(out / "config.yaml")
    assert (spec.rounds, spec.workers) == (2, 1)
    before = (out / "metrics.jsonl").read_bytes()
    assert sum(row["protocol"] == "fedwad" for row in rows_in(out)) == 2
    code, _, error = tailweave("run", config, "--out", out)
    assert (code, "exists; give another folder, --resume to go on, or --force" in error) == (2, True)
    same = ("--set", "rounds=2", "--set", "workers=1")
    assert tailweave("run", config, "--out", out, "--resume", *same)[0] == 0
    assert (out / "metrics.jsonl").read_bytes() == before


def test_a_study_tells_how_far_it_is(tmp_path):
    told = []

    class Bar:
        def __enter__(self):
            return lambda what, done, total: told.append((what, done, total))

        def __exit__(self, *_):
            return None

    spec = load_study(write(tmp_path, SMALL["transport"] + "workers: 1\n"))
    run_study(spec, RunOptions(tmp_path / "out"), Audience(print, Bar))
    assert told == [("transport", 0, None), *(("transport", done, 3) for done in (1, 2, 3))]


def test_a_dry_run_says_the_tasks_and_makes_nothing(tmp_path, tailweave):
    config = write(tmp_path, SMALL["families"])
    code, out, _ = tailweave("run", config, "--dry-run", "--set", "seeds=[3]", "--out", tmp_path / "out")
    assert (code, out) == (0, "study     families: 16 tasks over 1 seed, 2 workers\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "ray"), "a study has no silos; of the options on engines it takes --workers alone"),
        (("--cpus", "2"), "a study has no silos"),
        (("--set", "alphas=2"), "alphas: unknown key; did you mean 'alpha'"),
        (("--set", "alpha"), "--set alpha: write it as key.path=value"),
        (("--set", "study=none"), "study: 'none' is unknown"),
        (("--workers", "-1"), "workers: input should be greater than or equal to 1, got -1"),
        (("--resume",), "holds no run to go on with"),
        (("--resume", "--force"), "give one of them"),
        (("--log-format", "xml"), "xml"),
    ],
)
def test_options_that_do_not_fit(tmp_path, tailweave, options, said):
    code, _, error = tailweave("run", write(tmp_path, SMALL["gaussian"]), "--out", tmp_path / "out", *options)
    assert code == 2
    assert said in error
    assert not (tmp_path / "out").exists()


def test_list_shows_every_study_with_a_line(tailweave):
    code, out, _ = tailweave("list")
    section = out.split("\nstudies")[1].split("\n\n")[0]
    assert code == 0
    assert {line.split()[0] for line in section.splitlines() if line[:1].strip()} >= SMALL.keys()


@pytest.mark.parametrize(
    ("name", "spec"), [("gaussian", GaussianSpec), ("families", FamiliesSpec), ("transport", TransportSpec)]
)
def test_shipped_configs_are_the_published_sizes(name, spec, tmp_path):
    path = CONFIGS / "paper" / f"{name}.yaml"
    found = load_study(path)
    assert found == spec(study=name)
    assert load_study(write(tmp_path, dump_study(found))) == found
    assert is_study(path)
    assert study_of(found).tasks()


def test_an_experiment_is_no_study():
    assert not is_study(CONFIGS / "quickstart.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: gausian\n", "study: 'gausian' is unknown; did you mean 'gaussian'"),
        ("- 1\n", "a study is a mapping of keys, found list"),
        ("study: [\n", "not valid YAML"),
        ("study: gaussian\nalphas: 0.1\n", "alphas: unknown key; did you mean 'alpha'"),
        ("study: gaussian\nalpha: 0\n", "alpha: input should be greater than 0, got 0"),
        ("study: families\njudge-every: 7\n", "judge-every must divide generations = 200, got 7"),
        ("study: families\nfamilies: [cauchy]\n", "families.0: 'cauchy' is unknown"),
    ],
)
def test_bad_configs(text, message, tmp_path):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load_study(write(tmp_path, text))


def test_a_missing_config(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_study(tmp_path / "none.yaml")
