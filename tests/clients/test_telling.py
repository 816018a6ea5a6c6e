# SPDX-License-Identifier: Apache-2.0
"""The file that says how far a training is."""

import json

from tailweave.clients import telling as module
from tailweave.clients.telling import TOLD, telling


def test_the_file_tells_the_last_step_and_is_gone_after_all(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_EVERY_SECONDS", 0.0)
    tell = telling(tmp_path / TOLD)
    tell(1, 3)
    assert json.loads((tmp_path / TOLD).read_text()) == {"done": 1, "total": 3}
    tell(2, 3)
    assert json.loads((tmp_path / TOLD).read_text()) == {"done": 2, "total": 3}
    tell(3, 3)
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_written_more_often_than_it_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_EVERY_SECONDS", 1e9)
    tell = telling(tmp_path / TOLD)
    for _ in range(2):
        for step in range(1, 100):
            tell(step, 100)
        assert json.loads((tmp_path / TOLD).read_text()) == {"done": 1, "total": 100}
        tell(100, 100)
    assert list(tmp_path.iterdir()) == []
