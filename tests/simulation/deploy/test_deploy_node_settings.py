# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import yaml

from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.deploy.node_settings import load_node

GOOD = {
    "schema": 1,
    "name": "north",
    "data": "rows.csv",
    "superlink": {"host": "a.example", "fleet-port": 9440},
    "ports": {"runtime": 9450, "health": 9451, "executor": 9452},
}


def written(folder, **parts):
    (folder / "node.yaml").write_text(yaml.safe_dump({**GOOD, **parts}))
    return load_node(folder)


def test_paths_become_absolute_and_what_is_not_set_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("TAILWEAVE_LEDGERS", "/host/ledgers")
    node = written(tmp_path)
    assert node.node_config() == {
        "name": "north",
        "data": str(tmp_path / "rows.csv"),
        "state-dir": str(tmp_path / "state"),
        "ledgers": "/host/ledgers",
    }
    monkeypatch.setenv("TAILWEAVE_LEDGERS", "host")
    with pytest.raises(ValueError, match="TAILWEAVE_LEDGERS must be an absolute path, got 'host'"):
        node.node_config()
    assert node.superlink_address == "a.example:9440"
    assert node.health_address == "127.0.0.1:9451"
    assert node.runtime_address == "127.0.0.1:9450"
    assert node.executor_health_address == "127.0.0.1:9452"


def test_all_settings_reach_the_node(tmp_path):
    node = written(
        tmp_path,
        data="/d/x.npz",
        label="y",
        policy="p.yaml",
        base="b.npz",
        **{"identity-key": "~/k", "ledgers": "host", "data-set": "north-0a1b"},
        more={"t": 3},
    )
    assert node.node_config() == {
        "t": 3,
        "name": "north",
        "data": "/d/x.npz",
        "label": "y",
        "state-dir": str(tmp_path / "state"),
        "policy": str(tmp_path / "p.yaml"),
        "identity-key": str(Path("~/k").expanduser()),
        "base": str(tmp_path / "b.npz"),
        "ledgers": str(tmp_path / "host"),
        "data-set": "north-0a1b",
    }


def test_images_and_text_reach_the_node_as_scalars(tmp_path):
    own = {
        "image": [3, 16, 8],
        "resize": "crop",
        "labels": "l.csv",
        "text-columns": 64,
        "text-column": "note",
    }
    given = written(tmp_path, **own).node_config()
    assert {key: given[key] for key in own} == {
        "image": "3,16,8",
        "resize": "crop",
        "labels": str(tmp_path / "l.csv"),
        "text-columns": 64,
        "text-column": "note",
    }


def test_text_reaches_the_node_where_it_is_set(tmp_path):
    assert written(tmp_path, text=True, **{"text-column": "note"}).node_config()["text"] is True
    assert "text" not in written(tmp_path, text=False).node_config()


@pytest.mark.parametrize(("device", "visible"), [("cpu", ""), ("cuda:3", "3"), ("GPU-1a-2b", "GPU-1a-2b")])
def test_one_device_is_visible(tmp_path, device, visible):
    assert written(tmp_path, device=device).visible_devices == visible


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"device": "cuda"}, "device: "),
        ({"device": "cuda:0,1"}, "device: "),
        (
            {"ports": {"runtime": 1, "health": 2, "executor": 1}},
            "health and executor must differ, got 1, 2, 1",
        ),
        ({"ports": {"runtime": 1, "health": 2}}, "executor"),
        ({"more": {"data": "x"}}, "more: data must not stand here"),
        ({"log-format": "xml"}, "log-format"),
        ({"more": {"t": [1]}}, "more.t"),
        ({"lable": "y"}, "lable: unknown key; did you mean 'label'"),
        ({"data": ""}, "data: "),
        ({"data-set": "../other"}, "data-set: "),
        ({"more": {"ledgers": "x"}}, "more: ledgers must not stand here"),
        ({"image": [2, 8, 8]}, "image.0: 2 is unknown; allowed: 1, 3"),
        ({"resize": "cut"}, "resize: 'cut' is unknown; allowed: refuse, crop, stretch"),
        ({"text-columns": 1}, "text-columns: input should be greater than or equal to 2"),
        ({"text": "maybe"}, "text: input should be a valid boolean"),
        ({"more": {"text": True}}, "more: text must not stand here"),
        ({"more": {"text-columns": 8}}, "more: text-columns must not stand here"),
    ],
)
def test_bad_settings_are_refused(tmp_path, parts, message):
    with pytest.raises(ConfigError, match=message):
        written(tmp_path, **parts)
