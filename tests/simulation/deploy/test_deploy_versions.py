# SPDX-License-Identifier: Apache-2.0
from importlib.metadata import version

from protocols.messages import SCHEMA_VERSION
from simulation.deploy.versions import VersionsSpec, differences, installed


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
