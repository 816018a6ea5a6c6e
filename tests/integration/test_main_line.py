# SPDX-License-Identifier: Apache-2.0
"""One command from configuration to report: the same bytes every time, however it is run or interrupted."""

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import tailweave
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.streams import stream
from tailweave.simulation.engines.in_process import run_in_process
from tailweave.simulation.prepare import prepare
from tailweave.simulation.run_folder import RunFolder

pytestmark = pytest.mark.slow

KEPT = ("metrics.jsonl", "wire.jsonl", "summary.json")


def again(config: Path, out: Path, **options) -> Path:
    tailweave.run(config, out=out, **options)
    return out


def same(one: Path, two: Path, names: tuple[str, ...] = KEPT) -> bool:
    return all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_a_run_leaves_what_the_design_lists_and_nothing_else(finished):
    left = {path.name for path in finished.iterdir()} - {"figures"}
    assert left == {
        "base",
        "config.yaml",
        "environment.json",
        "events.jsonl",
        "final",
        "maps.npz",
        "images.npz",
        "inputs.json",
        "metrics.json",
        "metrics.jsonl",
        "rarest.json",
        "references",
        "report.html",
        "summary.json",
        "wire",
        "wire.jsonl",
    }
    assert (finished / "events.jsonl").read_bytes() == b""


def test_every_arm_seed_silo_and_generation_has_one_row(finished):
    lines = (finished / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 4 * 2 * 3 * 4


def test_arms_begin_equal_and_end_different(finished):
    rows = RunFolder(finished).metrics()
    for generation, different in ((0, 1), (3, 4)):
        found = {
            row["arm"]: row["frechet"]
            for row in rows
            if (row["seed"], row["silo"], row["generation"]) == (0, "silo-0", generation)
        }
        assert len(set(found.values())) == different


def apps(config: Path, folder: Path, workers: int = 0) -> Path:
    """Run the two apps alone, without report."""
    prepared = prepare(load_experiment(config))
    prepared.save_kits(folder / "kits")
    settings = {"config": str(config), "out": str(folder / "out"), "kit": str(folder / "kits")}
    nodes = [{"partition-id": i} for i in range(prepared.experiment.silos.count)]
    run_in_process(nodes, settings | {"state-dir": str(folder / "state")}, workers=workers)
    return folder / "out"


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_same_experiment_gives_the_same_bytes(finished, tiny, tmp_path, workers):
    assert same(apps(tiny(), tmp_path, workers), finished, KEPT[:2])


def test_another_seed_gives_other_numbers(finished, tiny, tmp_path):
    def numbers(out: Path) -> set[float]:
        return {json.loads(line)["frechet"] for line in (out / "metrics.jsonl").read_text().splitlines()}

    assert not numbers(apps(tiny(seeds=[2]), tmp_path)) & numbers(finished)


@pytest.mark.slow
def test_the_same_command_gives_the_same_summary(finished, tiny, tmp_path):
    assert same(again(tiny(), tmp_path / "out"), finished)


@pytest.mark.slow
def test_a_finished_run_that_is_resumed_stays_as_it_was(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    assert same(again(tiny(), tmp_path / "out", resume=True), finished)
    assert not (tmp_path / "out" / ".state").exists()


def test_a_run_whose_numbers_changed_is_not_resumed(finished, tiny, tmp_path):
    shutil.copytree(finished, tmp_path / "out")
    metrics = tmp_path / "out" / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"frechet": ', '"frechet": 1', 1))
    with pytest.raises(
        ValueError, match="metrics.jsonl: line 1 differs from what the interrupted run recorded"
    ):
        again(tiny(), tmp_path / "out", resume=True)


def progress(out: Path) -> int:
    """Return how many lines and checkpoints there are."""
    metrics = out / "metrics.jsonl"
    lines = metrics.read_bytes().count(b"\n") if metrics.exists() else 0
    return lines + sum(1 for _ in (out / ".state").rglob("*.npz"))


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "seed"), [(0, 1), (2, 2)])
def test_a_killed_run_goes_on_to_the_same_bytes(command_line, finished, tiny, tmp_path, workers, seed):
    config, out = tiny(), tmp_path / "out"
    rng = stream(seed, "kills")
    steps = np.sort(rng.integers(1, 110, size=3))  # of 96 lines and the files of one seed at a time
    killed = 0
    for step in [*steps.tolist(), None]:
        resume = ["--resume"] if (out / "config.yaml").exists() else []
        process = command_line("run", config, "--out", out, "--workers", workers, *resume)
        if step is None:
            assert process.wait(120) == 0, process.stderr.read()
            break
        while process.poll() is None and not (out.exists() and progress(out) >= step):
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += not (out / "report.html").exists()
    assert killed >= 2
    assert same(out, finished, (*KEPT, "events.jsonl"))
    assert not (out / ".state").exists()
    for stored in (out / "wire").iterdir():
        assert stored.read_bytes() == (finished / "wire" / stored.name).read_bytes()


@pytest.mark.slow
def test_a_run_killed_as_its_folder_appears_can_be_resumed(command_line, tiny, tmp_path):
    config, out = tiny(seeds=1), tmp_path / "out"
    process = command_line("run", config, "--out", out)
    while process.poll() is None and not (out / "config.yaml").exists():
        time.sleep(0.0005)
    process.kill()
    process.communicate()
    resumed = command_line("run", config, "--out", out, "--resume")
    assert resumed.wait(120) == 0, resumed.stderr.read()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_an_interrupted_run_says_how_to_go_on(command_line, tiny, tmp_path, workers):
    config = tiny(recursion={"generations": 300, "samples": 60})
    process = command_line("run", config, "--out", tmp_path / "out", "--workers", str(workers))
    while process.poll() is None and not (tmp_path / "out" / "metrics.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "interrupted; go on with --resume" in error  # Python may add a line on a callback that was cut


CSV_KEYS = {
    "features": {"kind": "standard"},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 2, "samples": 30, "candidates-per-sample": 2},
    "arms": [
        {"name": "no-selection", "rule": "random"},
        {"name": "siloed", "rule": "top-potential", "reference": "local"},
        {"name": "anchored", "rule": "herding", "reference": "public"},
        {"name": "sliced", "rule": "herding", "reference": "sliced"},
        {"name": "oracle", "rule": "herding", "reference": "oracle"},
    ],
    "seeds": 1,
}


@pytest.fixture
def table(tmp_path):
    """Return a writer of a small table of two columns, with or without labels."""

    def write(labels: bool) -> Path:
        rng = stream(0, "table")
        side = rng.integers(2, size=120)
        lines = [
            f"{10 * s + a:.4f},{b:.4f}" + (f",{('ja', 'nein')[s]}" if labels else "")
            for s, a, b in zip(side, rng.normal(size=120), rng.normal(size=120), strict=True)
        ]
        path = tmp_path / "own.csv"
        path.write_text("\n".join(["länge,breite" + (",urteil" if labels else ""), *lines]), encoding="utf-8")
        return path

    return write


@pytest.mark.slow
@pytest.mark.parametrize("labels", [True, False])
def test_a_table_of_ones_own_runs_to_a_report(table, tiny, tmp_path, labels):
    table(labels)
    data = {"source": "csv", "path": "own.csv"} | ({"label": "urteil"} if labels else {})
    silos = (
        {"silos": {"count": 2, "partition": {"kind": "by-class", "classes-per-silo": 1}}} if labels else {}
    )
    out = again(tiny(data=data, **CSV_KEYS | silos), tmp_path / "out")
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "<svg" in report
    first = (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert ("mode_share/nein" in first) == labels
    assert load_experiment(out / "config.yaml").data.path == str(tmp_path / "own.csv")


@pytest.mark.slow
def test_the_command_prints_a_table_that_fits_and_is_otherwise_quiet(command_line, tiny, tmp_path):
    process = command_line("run", tiny(seeds=1), "--out", tmp_path / "out", COLUMNS="50")
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0
    lines = out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("ran in ")) <= 50
    assert any(line.startswith("ran in ") and str(tmp_path / "out" / "report.html") in line for line in lines)
    assert "no-selection" in "".join(line.strip("│┃ ").split("│")[0].strip() for line in lines)
    assert all(line.startswith(("note:", "privacy.")) or not line for line in _unwrapped(error))
    assert "\x1b" not in out + error


def _unwrapped(text: str) -> list[str]:
    return (
        []
        if not text
        else ["note:" + part for part in text.replace("\n", " ").split("note:") if part.strip()]
    )
