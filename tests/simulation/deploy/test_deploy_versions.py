# SPDX-License-Identifier: Apache-2.0
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tailweave.protocols.messages import SCHEMA_VERSION
from tailweave.simulation.deploy.versions import (
    FLOWER,
    VersionError,
    VersionsSpec,
    check_flower,
    differences,
    installed,
)


def test_installed_versions_are_this_environments():
    assert installed() == VersionsSpec(
        tailweave=version("tailweave"), flwr=version("flwr"), messages=SCHEMA_VERSION
    )


def test_each_difference_is_named():
    kit, host = (
        VersionsSpec(tailweave="1", flwr="2", messages=3),
        VersionsSpec(tailweave="1", flwr="4", messages=5),
    )
    assert differences(kit, kit) == []
    assert differences(kit, host) == [
        "flwr is 4 here, the kit was made with 2",
        "messages is 5 here, the kit was made with 3",
    ]


def test_the_flower_that_is_installed_is_the_one_that_pyproject_allows(monkeypatch):
    check_flower()
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    major, minor = map(int, FLOWER.split("."))
    assert f"flwr>={FLOWER},<{major}.{minor + 1}" in project["dependencies"]
    monkeypatch.setattr("tailweave.simulation.deploy.versions._version", lambda package: FLOWER)
    check_flower()


@pytest.mark.parametrize("found", ["1.42.0", "1.4", "1.410.0", "2.0", "unknown"])
def test_another_flower_is_refused(monkeypatch, found):
    monkeypatch.setattr("tailweave.simulation.deploy.versions._version", lambda package: found)
    with pytest.raises(VersionError, match=f"flwr {found} is installed, this tailweave needs 1.41.x"):
        check_flower()
