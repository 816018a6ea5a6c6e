# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong is one message and an exit code; a run that failed says why to whoever asks later."""

import json
import re
import shutil
from types import SimpleNamespace

import pytest

from tailweave.server.failure import RunFailed, read_failure
from tailweave.simulation import prepare, run
from tailweave.simulation.last_words import last_words

RAISED = {
    "bad input": (ValueError("seeds must be 1"), 2, "error: seeds must be 1"),
    "a silo": (RunFailed("too few silos"), 1, "run failed: too few silos"),
    "memory": (
        MemoryError("Unable to allocate 3.73 GiB"),
        1,
        "error: not enough memory: Unable to allocate 3.73",
    ),
    "memory of Python's own": (MemoryError(), 1, "error: not enough memory; fewer rows"),
    "disk": (OSError(28, "No space left on device"), 1, "error: cannot read or write: .* No space left"),
    "a fault": (KeyError("x"), 1, "error: KeyError: 'x'; this is a fault of tailweave, or of a kind"),
}


@pytest.mark.parametrize(("error", "code", "message"), RAISED.values(), ids=RAISED.keys())
def test_a_command_ends_with_one_message_and_leaves_nothing(
    tailweave, tiny, tmp_path, monkeypatch, error, code, message
):
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(prepare, "fitted_kits", fails)
    found, _, said = tailweave("run", tiny(seeds=1), "--out", tmp_path / "out")
    assert found == code
    assert "Traceback" not in said
    assert re.search(message, said)
    assert not (tmp_path / "out").exists()


def test_half_a_folder_is_removed(tailweave, tiny, tmp_path, monkeypatch):
    def full(prepared, out, *_: object) -> None:
        out.mkdir()
        (out / "config.yaml").write_text("x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run, "make_folder", full)
    code, _, said = tailweave("run", tiny(seeds=1), "--out", tmp_path / "out")
    assert (code, "No space left" in said, (tmp_path / "out").exists()) == (1, True, False)


@pytest.mark.parametrize("command", ["run", "audit", "base"])
@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file/inside", "file is a file, nothing can be made in it"),
        ("x" * 300, "is no path: File name too long"),
    ],
)
def test_a_path_that_cannot_be_made_is_refused_before_any_work(
    tailweave, tiny, tmp_path, command, out, message
):
    (tmp_path / "file").write_text("")
    code, _, said = tailweave(command, tiny(seeds=1), "--out", tmp_path / out)
    assert (code, message in said) == (2, True)


def test_a_run_that_failed_says_why_when_a_report_is_asked_for(tailweave, tiny, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def fails(*_: object, **__: object) -> None:
        raise RunFailed("1 silo is left of 3\n  silo-1: gone")

    monkeypatch.setattr(run, "run_with_progress", fails)
    assert tailweave("run", tiny(seeds=1), "--out", out)[0] == 1
    assert read_failure(out) == "1 silo is left of 3\n  silo-1: gone"
    code, _, said = tailweave("report", out)
    assert (code, "the run failed: 1 silo is left of 3" in said, "--resume" in said) == (2, True, True)
    monkeypatch.undo()
    assert tailweave("run", tiny(seeds=1), "--out", out, "--resume")[0] == 0
    assert tailweave("report", out)[0] == 0
    assert read_failure(out) is None


def test_a_run_that_was_interrupted_says_so(tailweave, finished, tmp_path):
    part = shutil.copytree(finished, tmp_path / "part")
    (part / ".state").mkdir()
    code, said, warned = tailweave("report", part)
    assert (code, "report: " in said, "the run has not come to its end" in warned) == (0, True, True)
    (part / "metrics.jsonl").write_text("")
    assert "has not come to its end" in tailweave("report", part)[2]
    (part / "failure.json").write_text(json.dumps({"bad-input": False, "message": "disk full"}))
    assert "the run failed: disk full" in tailweave("report", part)[2]


def test_last_words_of_a_fault_are_a_traceback_in_development_mode(monkeypatch):
    developing = SimpleNamespace(flags=SimpleNamespace(dev_mode=True))
    monkeypatch.setattr("tailweave.simulation.last_words.sys", developing)
    with pytest.raises(KeyError):
        last_words(KeyError("x"))
    assert last_words(ValueError("x")) == ("error: x", 2)
