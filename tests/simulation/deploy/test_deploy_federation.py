# SPDX-License-Identifier: Apache-2.0
import pytest
import yaml

from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.deploy.federation import load_federation

GOOD = {
    "schema": 1,
    "superlink": {"host": "a.example", "fleet-port": 9440, "control-port": 9441, "health-port": 9442},
    "certificates": {"ca": "server/ca.crt"},
    "silos": [{"name": "north", "public-key": "n.pub"}, {"name": "south", "public-key": "s.pub"}],
}


def test_known_file_gives_addresses_and_paths(tmp_path):
    (tmp_path / "federation.yaml").write_text(yaml.safe_dump(GOOD))
    federation = load_federation(tmp_path)
    assert federation.fleet_address == "a.example:9440"
    assert federation.control_address == "127.0.0.1:9441"
    assert federation.health_address == "127.0.0.1:9442"
    assert federation.executor_health_address is None
    assert federation.silo_names == ("north", "south")
    assert federation.ca == tmp_path / "server/ca.crt"
    assert federation.public_key(federation.silos[1]) == tmp_path / "s.pub"


def changed(**parts):
    return {**GOOD, **parts}


BAD = [
    (changed(schema=2), r"schema: 2 is unknown; allowed: 1"),
    (changed(folder="/etc"), r"folder: unknown key"),
    (changed(superlink={**GOOD["superlink"], "control-port": 9440}), r"superlink: .*must differ"),
    (
        changed(superlink={**GOOD["superlink"], "fleet-port": 0}),
        r"superlink.fleet-port: .*greater than or equal to 1",
    ),
    (changed(superlink={**GOOD["superlink"], "host": "a b"}), r"superlink.host: "),
    (changed(superlink={**GOOD["superlink"], "host": "$(id)"}), r"superlink.host: "),
    (changed(certificates={"ca": "/etc/ca.crt"}), r"certificates.ca: "),
    (changed(silos=[]), r"silos: .*at least 1"),
    (changed(silos=[GOOD["silos"][0]] * 2), r"silos: names must differ, found twice: north"),
    (
        changed(silos=[{"name": n, "public-key": "k"} for n in "ab"]),
        r"public keys must differ, found twice: k",
    ),
    (changed(silos=[{"name": "../x", "public-key": "k"}]), r"silos.0.name: "),
    ([1], r"must be a mapping of keys, found list"),
]


@pytest.mark.parametrize(("raw", "message"), BAD)
def test_bad_files_are_refused(tmp_path, raw, message):
    (tmp_path / "federation.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigError, match=message):
        load_federation(tmp_path)


def test_missing_folder_names_the_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"no such file; .*tailweave deploy init"):
        load_federation(tmp_path / "none")
