# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest

from tailweave.simulation.deploy.kit import Plan, init
from tailweave.simulation.deploy.units import UnitError, check_path, server_units, silo_units

NOW = dt.datetime.now(dt.UTC)
ODD = "a%i $HOME ${x} #;b"


def unit(folder: Path, name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (folder / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture(scope="module")
def odd_kit(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("units") / ODD
    init(folder, Plan(("north",)), now=NOW)
    return folder


@pytest.fixture(scope="module")
def executor(odd_kit) -> dict[str, list[str]]:
    return unit(odd_kit / "silos/north", "tailweave-executor-north.service")


def test_percents_are_doubled_everywhere_and_dollars_on_command_lines_alone(odd_kit, executor):
    silo = f"{odd_kit.parent}/a%%i $HOME ${{x}} #;b/silos/north"
    script = f"{odd_kit.parent}/a%%i $$HOME $${{x}} #;b/silos/north/supernode-north.sh"
    assert executor["ExecStart"] == [f'/bin/sh "{script}" run executor']
    assert executor["ReadWritePaths"] == [f'"{silo}/state"']
    assert executor["ReadOnlyPaths"] == [f'-"{silo}/policy.yaml" -"{silo}/node.yaml"']


def test_a_silos_parts_can_write_to_their_state_alone(odd_kit, executor):
    supernode = unit(odd_kit / "silos/north", "tailweave-supernode-north.service")
    for part in (supernode, executor):
        assert part["ProtectSystem"] == ["strict"]
        assert part["NoNewPrivileges"] == part["PrivateTmp"] == ["yes"]
        assert part["CapabilityBoundingSet"] == [""]
        assert len(part["ReadWritePaths"]) == 1


def test_the_executor_sees_no_key_and_reaches_loopback_alone(executor):
    assert executor["InaccessiblePaths"][0].endswith('/node.key"')
    assert executor["IPAddressDeny"] == ["any"]
    assert executor["IPAddressAllow"] == ["localhost"]


def test_the_server_app_may_write_into_any_run_folder(odd_kit):
    found = {part: unit(odd_kit / "server", f"tailweave-{part}.service") for part in ("gate", "superexec")}
    assert found["gate"]["ProtectSystem"] == ["strict"]
    assert found["superexec"]["ProtectSystem"] == ["full"]


@pytest.mark.parametrize(
    "odd", ['"', "'", "\\", "\n", "\r", "\t", "\x00", "\x7f", "\u2028", "\u200e", "\udc80"]
)
def test_what_would_end_a_quote_or_a_line_is_refused_by_name(odd):
    with pytest.raises(UnitError, match="not allowed, because the path stands in systemd units") as error:
        check_path(Path(f"/srv/a{odd}b"), "the kit's folder")
    assert ascii(odd) in str(error.value)
    with pytest.raises(UnitError, match="the kit's folder: "):
        server_units(Path(f"/srv/a{odd}b/server/superlink.sh"))
    with pytest.raises(UnitError, match="the kit's folder: "):
        silo_units(Path(f"/srv/a{odd}b/supernode.sh"), "north")


def test_other_letters_are_taken():
    check_path(Path("/srv/Größe ñ 数据/$x%y/(a)[b]{c};d&e"), "the kit's folder")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_has_nothing_to_say(odd_kit):
    units = sorted(odd_kit.rglob("*.service"))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "tailweave" in line], done.stderr
