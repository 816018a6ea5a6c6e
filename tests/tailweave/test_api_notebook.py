# SPDX-License-Identifier: Apache-2.0
"""README's example of the Python API, run by a real kernel."""

import json
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

import tailweave

NOTEBOOK = Path(__file__).with_name("api.ipynb")
README = Path(__file__).parents[2] / "README.md"
GONE = ""
"""What a finished bar leaves in its cell."""


def test_readme_shows_the_notebook():
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    section = README.read_text(encoding="utf-8").split("## In Python")[1]
    code = re.search(r"```python\n(.*?)\n```", section, re.DOTALL)
    assert code is not None
    assert code[1] == "\n".join(cell.source for cell in cells)


@pytest.mark.slow
def test_a_notebook_runs_an_experiment_and_selects(tmp_path, monkeypatch):
    """Half a minute on a busy machine."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    updates: list[str] = []
    client = Watching(notebook, timeout=250, resources={"metadata": {"path": str(tmp_path)}})
    client.updates = updates
    client.execute()
    run, coverage, _, picks = (cell.outputs for cell in notebook.cells)
    assert any(re.search(r"<progress value=.\d+. max=.24.>.* generation \d", text) for text in updates)
    bars = [output.data.get("text/html", "") for output in run if output.output_type == "display_data"]
    assert bars == [GONE, GONE]  # the base, and the run
    assert [output.name for output in run if output.output_type == "stream"] == ["stderr"]  # warnings
    shown = run[-1].data
    assert "<th>collaborative</th>" in shown["text/html"]
    assert "collaborative" in shown["text/plain"]
    mean = tailweave.open_run(tmp_path / "runs/a").summary["collaborative"]["coverage"].mean
    assert coverage[0].data["text/plain"] == f"Estimate(mean={mean}, interval=None, seeds=1)"
    spread = [float(number) for number in re.findall(r"\d\.\d+", picks[0].data["text/plain"])]
    assert len(spread) == 5
    assert all(0.8 < number < 1.25 for number in spread)  # the candidates' are 2, and random picks' too
    made = json.loads((tmp_path / "runs/a/environment.json").read_text(encoding="utf-8"))
    assert made["command"] == ["notebook"]


class Watching(nbclient.NotebookClient):
    """Keeps what a display is overwritten with."""

    updates: list[str]

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "update_display_data":
            self.updates.append(msg["content"]["data"].get("text/html", ""))
        return super().process_message(msg, cell, cell_index)
