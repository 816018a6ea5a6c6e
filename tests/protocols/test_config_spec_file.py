# SPDX-License-Identifier: Apache-2.0
import pytest

from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.spec_file import read_spec
from tailweave.simulation.deploy.versions import VersionsSpec


def test_a_file_becomes_its_model(tmp_path):
    path = tmp_path / "v.yaml"
    path.write_text("tailweave: '1'\nflwr: '2'\nmessages: 3\n")
    assert read_spec(path, VersionsSpec, "") == VersionsSpec(tailweave="1", flwr="2", messages=3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"tailweave: '1'\nflwr: '2'\nmessages: 3\nmessages: 4\n", "key 'messages' stands twice"),
        (b"tailweave: [\n", "not valid YAML"),
        (b"tailweave: 2024-99-99\n", "not valid YAML"),
        (b"\xff\xfe\x00", "cannot be read|not valid YAML"),
        (b"", "must be a mapping of keys, found NoneType"),
        (b"tailweave: '1'\nflwr: '2'\nmesages: 3\n", "mesages: unknown key; did you mean 'messages'"),
    ],
)
def test_what_is_none_is_refused(tmp_path, content, message):
    path = tmp_path / "v.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_spec(path, VersionsSpec, "")


def test_a_nested_key_that_stands_twice_is_seen(tmp_path):
    path = tmp_path / "v.yaml"
    path.write_text("a:\n- {b: 1, b: 2}\n")
    with pytest.raises(ConfigError, match="key 'b' stands twice"):
        read_spec(path, VersionsSpec, "")
