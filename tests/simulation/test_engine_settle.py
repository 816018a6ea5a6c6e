# SPDX-License-Identifier: Apache-2.0
"""What became of a run elsewhere, told as if it had been here."""

import pytest

from tailweave.server.failure import RunFailed, clear_failure, raise_failure, record_failure
from tailweave.simulation.engines.settle import last_lines, settle


def test_a_completed_run_with_its_metrics_is_well(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("")
    settle(tmp_path, "finished:completed", tmp_path / "log", shared="copy them")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("finished:completed", "has no metrics: copy them"),
        ("finished:stopped", "someone stopped the run; go on with --resume"),
        ("finished:failed", r"Flower says finished:failed; the last words of .*log:\n  one\n  two$"),
    ],
)
def test_anything_else_is_told(tmp_path, status, said):
    (tmp_path / "log").write_text("one\n\n \ntwo\n")
    with pytest.raises(RunFailed, match=said):
        settle(tmp_path, status, tmp_path / "log", shared="copy them")


@pytest.mark.parametrize(("kind", "other"), [(ValueError, RunFailed), (RunFailed, ValueError)])
def test_the_server_apps_own_words_come_first(tmp_path, kind, other):
    record_failure(tmp_path, kind("1 silos are left\n  north: gone"))
    with pytest.raises(kind, match="^1 silos are left\n  north: gone$") as raised:
        settle(tmp_path, "finished:failed", tmp_path / "log", shared="")
    assert not isinstance(raised.value, other)
    raise_failure(tmp_path)  # told once


def test_an_earlier_failure_is_forgotten(tmp_path):
    clear_failure(tmp_path)
    record_failure(tmp_path, RunFailed("x"))
    clear_failure(tmp_path)
    raise_failure(tmp_path)


def test_a_folder_that_is_not_there_is_left_alone(tmp_path):
    record_failure(tmp_path / "gone", ValueError("x"))
    assert not (tmp_path / "gone").exists()


def test_only_the_end_of_a_long_log_is_told(tmp_path):
    (tmp_path / "log").write_text("\n".join(f"line {i}" for i in range(100)))
    assert last_lines(tmp_path / "log").splitlines() == [f"  line {i}" for i in range(88, 100)]
    assert last_lines(tmp_path / "none") == "  (nothing)"
