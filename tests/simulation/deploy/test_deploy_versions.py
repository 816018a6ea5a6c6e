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


def test_the_flowers_that_are_accepted_are_those_that_pyproject_allows(monkeypatch):
    check_flower()
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    majors, minors = zip(*(map(int, known.split(".")) for known in FLOWER), strict=True)
    assert set(majors) == {1}
    assert minors == tuple(range(minors[0], minors[-1] + 1))
    assert f"flwr>={FLOWER[0]},<1.{minors[-1] + 1}" in project["dependencies"]
    for found in (*FLOWER, f"{FLOWER[-1]}.3"):
        monkeypatch.setattr("tailweave.simulation.deploy.versions._version", lambda package, v=found: v)
        check_flower()


@pytest.mark.parametrize("found", ["1.43.0", "1.4", "1.410.0", "2.0", "unknown"])
def test_another_flower_is_refused(monkeypatch, found):
    monkeypatch.setattr("tailweave.simulation.deploy.versions._version", lambda package: found)
    with pytest.raises(VersionError, match=f"flwr {found} is installed, .* needs 1.41.x or 1.42.x"):
        check_flower()
