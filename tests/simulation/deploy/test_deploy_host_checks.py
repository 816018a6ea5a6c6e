# SPDX-License-Identifier: Apache-2.0
import socket

import pytest

from tailweave.simulation.deploy.host_checks import (
    HostError,
    disk_space,
    ports_free,
    private_file,
    versions_equal,
)
from tailweave.simulation.deploy.reach import ReachError
from tailweave.simulation.deploy.versions import installed


def test_versions():
    mine = installed()
    assert versions_equal("server", mine).state == "ok"
    assert versions_equal("server", None).state == "skip"
    other = versions_equal("silo a", mine.model_copy(update={"flwr": "0.1"}))
    assert (other.state, other.subject) == ("FAIL", "silo a")
    assert "the kit was made with 0.1" in other.text
    assert "flwr 0.1" in other.remedy


def test_disk_space_of_a_folder_that_is_not_there_yet(tmp_path):
    assert disk_space("server", tmp_path / "a/b", least_gib=0).state == "ok"
    full = disk_space("server", tmp_path / "a/b", least_gib=1e9)
    assert full.state == "FAIL"
    assert "at least 1e+09 needed" in full.text


def test_private_files(tmp_path):
    path = tmp_path / "key"
    with pytest.raises(HostError, match="No such file"):
        private_file(path)
    path.touch(0o600)
    assert private_file(path) == "key is its owner's only"
    path.chmod(0o640)
    with pytest.raises(HostError, match=r"others may read it \(mode 640\)"):
        private_file(path)


def test_ports():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ReachError, match=f"port {port} cannot be used"):
            ports_free([port])
    assert ports_free([port]) == f"{port} are free"
