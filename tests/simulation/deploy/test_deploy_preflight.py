# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import shutil

import pytest

from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.deploy.preflight import preflight

NOW = dt.datetime.now(dt.UTC)


def test_a_federations_folder_gives_the_server_and_all_silos(kit):
    found = preflight(kit, now=NOW)
    assert {verdict.subject for verdict in found} == {"server", "silo north", "silo south"}
    assert not any(verdict.state == "FAIL" for verdict in found)


def test_a_silos_folder_gives_that_silo_wherever_it_lies(kit, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.move(kit / "silos/north", moved)
    assert {verdict.subject for verdict in preflight(moved, now=NOW)} == {"silo north"}
    skipped = [v for v in preflight(kit, now=NOW) if v.subject == "silo north" and v.state == "skip"]
    assert "its folder is not here" in skipped[0].text


def test_one_silos_wrong_file_does_not_hide_the_others(kit):
    (kit / "silos/north/node.yaml").write_text("schema: 1\n")
    found = preflight(kit, now=NOW)
    (bad,) = [verdict for verdict in found if verdict.state == "FAIL"]
    assert (bad.subject, bad.check) == ("silo north", "node.yaml")
    assert "name: missing" in bad.text
    assert any(v.subject == "silo south" and v.check == "data" for v in found)


def test_any_other_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="federation.yaml: no such file"):
        preflight(tmp_path, now=NOW)


def test_two_silos_here_with_one_gpu_are_seen(kit):
    for name in ("north", "south"):
        path = kit / "silos" / name / "node.yaml"
        path.write_text(path.read_text().replace('device: "cpu"', 'device: "cuda:0"'))
    assert any("is shared with south" in verdict.text for verdict in preflight(kit, now=NOW))
