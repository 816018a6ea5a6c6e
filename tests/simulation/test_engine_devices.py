# SPDX-License-Identifier: Apache-2.0
"""Which GPUs there are, and which worker gets which."""

import pytest

from tailweave.simulation.engines.devices import device_of, devices


@pytest.mark.parametrize(("visible", "found"), [("0, 2", ["0", "2"]), ("", []), ("GPU-1,", ["GPU-1"])])
def test_what_the_user_set_is_what_there_is(monkeypatch, tmp_path, visible, found):
    (tmp_path / "0000:01:00.0").mkdir()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices(tmp_path) == found


def test_else_it_is_what_the_driver_lists(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert devices(tmp_path / "no driver") == []
    for bus in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / bus).mkdir()
    assert devices(tmp_path) == ["0", "1"]


def test_workers_take_turns():
    assert [device_of(worker, ["0", "1"]) for worker in range(5)] == ["0", "1", "0", "1", "0"]
    assert device_of(3, []) is None
