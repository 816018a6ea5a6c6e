# SPDX-License-Identifier: Apache-2.0
"""The Python API on runs: experiments in any form, a finished run's numbers, nothing left changed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tailweave
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.run_folder import RunFolderError

REPOSITORY = Path(__file__).parents[2]


def in_a_process(code: str, cwd: Path) -> subprocess.CompletedProcess:
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_every_public_name_is_there_and_a_wrong_one_is_not():
    assert set(tailweave.__all__) == set(dir(tailweave)) == {*tailweave._PLACES, "__version__"}
    assert all(getattr(tailweave, name) is not None for name in tailweave.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'utils'"):
        _ = tailweave.utils


def test_an_experiment_is_a_name_a_file_a_mapping_or_one(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = tailweave.load("quickstart", {"recursion.generations": np.int64(4), "seeds": np.arange(2)})
    assert (experiment.recursion.generations, experiment.seeds) == (4, (0, 1))
    given = experiment.model_dump(mode="json", by_alias=True)
    before = json.dumps(given)
    assert tailweave.load(experiment) == tailweave.load(given) == experiment
    assert tailweave.load(given, {"arms.siloed.rule": "random", "arms.siloed.reference": None}) != experiment
    assert json.dumps(given) == before
    assert tailweave.load(str(tiny())) == tailweave.load(tiny(), [])
    assert tailweave.load(tiny(), ["seeds=1"]) == tailweave.load(tiny(), {"seeds": 1})


def test_relative_paths_of_a_mapping_are_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    csv = {"source": "csv", "path": "data/mine.csv"}
    assert tailweave.load("quickstart", {"data": csv}).data.path == str(tmp_path / "data/mine.csv")
    given = tailweave.load("quickstart").model_dump(mode="json", by_alias=True) | {"data": csv}
    assert tailweave.load(given).data.path == str(tmp_path / "data/mine.csv")


@pytest.mark.parametrize(
    ("given", "overrides", "said"),
    [
        ("quickstrat", {}, "did you mean 'quickstart'"),
        (3, {}, "experiment must be a name, a path .* got int"),
        ({"name": "x"}, {}, "experiment: data: missing"),
        ("paper/gaussian", {}, "is a study: only"),
        ("quickstart", "seeds=1", "overrides must be a mapping .* got 'seeds=1'"),
        ("quickstart", {1: 2}, "a key must be a path .* got 1"),
        ("quickstart", {"recursion.generation": 1}, "did you mean 'generations'"),
        ("quickstart", {"name.x.y": 1}, "overrides: name.x.y: name.x|overrides: name.x.y: name leads into"),
    ],
)
def test_what_is_wrong_with_an_experiment_is_said(given, overrides, said):
    with pytest.raises(ValueError, match=said):
        tailweave.load(given, overrides)


def test_a_finished_run_gives_its_numbers(finished):
    run = tailweave.open_run(str(finished))
    stored = json.loads((finished / "summary.json").read_text())["arms"]
    assert list(run.summary) == list(stored)
    found = run.summary["sliced"]["coverage"]
    assert (found.mean, list(found.interval), found.seeds) == tuple(
        stored["sliced"]["last"]["coverage"].values()
    )
    assert float(found) == found.mean
    assert len(run.metrics()) == 4 * 2 * 3 * 4  # arms, seeds, silos, generations with the start
    assert run.report.stat().st_size > 100_000
    assert run.published is None
    for shown in (repr(run), run._repr_html_()):
        assert "tiny: generation 3" in shown
        assert "partial" not in shown
        assert "quantized" in shown
    assert "<script" not in run._repr_html_()
    assert repr(run).startswith(f"Run({str(finished)!r})\n")


def test_a_hostile_name_is_text_in_a_notebook(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    path = tmp_path / "run" / "summary.json"
    path.write_text(path.read_text().replace('"tiny"', '"<script>"'))
    shown = tailweave.open_run(tmp_path / "run")._repr_html_()
    assert "&lt;script&gt;: generation" in shown
    assert "<script" not in shown


def test_a_report_is_drawn_again_and_runs_are_compared(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    run = tailweave.open_run(tmp_path / "run")
    assert repr(run) == f"Run({str(tmp_path / 'run')!r})"
    with pytest.raises(ValueError, match="summary.json is missing"):
        _ = run.summary
    run.report.unlink()
    assert run.draw() == run.report
    assert run.report.is_file()
    both = [run, tailweave.open_run(finished)]
    assert tailweave.compare(both, tmp_path / "new" / "both.html").is_file()


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="is not a finished run folder: config.yaml"):
        tailweave.open_run(tmp_path)


def test_a_folder_that_is_there_is_not_run_over(tiny, finished):
    before = (finished / "metrics.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="exists; give another folder"):
        tailweave.run(tiny(), out=finished)
    with pytest.raises(ConfigError, match="workers must be 0 or more, got -1"):
        tailweave.run(tiny(), out=finished, workers=-1, force=True)
    assert (finished / "metrics.jsonl").read_bytes() == before


def test_a_script_prints_nothing_and_finds_its_process_unchanged(tiny, tmp_path):
    config = tiny(
        seeds=1,
        arms=[{"name": "alone", "rule": "random"}],
        recursion={"generations": 1, "samples": 60},
    )
    code = f"""
import logging, os, signal, warnings
import numpy, sklearn, flwr.app, flwr.serverapp, flwr.clientapp, matplotlib  # these change the environment
def state():
    return (dict(os.environ), [signal.getsignal(n) for n in signal.valid_signals()], logging.root.handlers[:],
            logging.root.level, numpy.geterr(), matplotlib.rcParams.copy(), os.getcwd())
before = state()
import tailweave as tw
for name in tw.__all__:
    getattr(tw, name)
assert state() == before, "import"
warnings.simplefilter("ignore")
run = tw.run({str(config)!r})
assert state() == before, "run"
assert run.path == __import__("pathlib").Path("runs/tiny").resolve()
assert run.metrics()
"""
    done = in_a_process(code, tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_an_import_of_the_api_alone_loads_nothing(tmp_path):
    code = "import sys, tailweave; print({m for m in sys.modules if m.startswith(('tailweave.', 'numpy'))})"
    assert in_a_process(code, tmp_path).stdout == "set()\n"


def test_warnings_point_at_the_line_that_called(tiny, tmp_path):
    config = tiny(
        seeds=1, arms=[{"name": "alone", "rule": "random"}], recursion={"generations": 1, "samples": 60}
    )
    with pytest.warns(UserWarning, match="no differential privacy") as told:
        tailweave.run(config, out=tmp_path / "run", progress=False)
    assert {Path(one.filename) for one in told} == {Path(__file__)}
