# SPDX-License-Identifier: Apache-2.0
"""Flower's command line as a program: where it is, what it is told, and how it fails."""

import subprocess
import tomllib
from pathlib import Path

import pytest

from tailweave.server.failure import RunFailed
from tailweave.simulation.engines.control import Control, FlowerError, _answer, environment, program


def test_flowers_programs_are_found_beside_this_python():
    assert Path(program("flwr")).name == "flwr"
    with pytest.raises(RunFailed, match="flwr-gone is not beside .* nor on PATH; install flwr there"):
        program("flwr-gone")


def test_its_environment_is_quiet_and_apart_from_the_users(tmp_path):
    given = environment(tmp_path)
    assert given["FLWR_HOME"] == str(tmp_path)
    assert (given["FLWR_TELEMETRY_ENABLED"], given["FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION"]) == (
        "0",
        "1",
    )


@pytest.mark.parametrize(
    ("ca", "wanted"),
    [(None, {"insecure": True}), (Path('/a "b"/ca.crt'), {"root-certificates": '/a "b"/ca.crt'})],
)
def test_the_connection_is_written_as_flower_reads_it(tmp_path, ca, wanted):
    Control.connect(tmp_path / "home", "127.0.0.1:9", ca)
    written = tomllib.loads((tmp_path / "home" / "config.toml").read_text())["superlink"]
    assert written["default"] == "tailweave"
    assert written["tailweave"] == {"address": "127.0.0.1:9", **wanted}


def test_a_superlink_that_is_not_there_is_an_error_in_flowers_words(tmp_path):
    control = Control.connect(tmp_path, "127.0.0.1:9", None)  # 9: nobody listens there
    with pytest.raises(FlowerError, match="flwr list: .*onnect"):
        control.status(1)


@pytest.mark.parametrize(
    ("code", "out", "message"),
    [
        (1, '{"success": false, "error-message": "no\\n access"}', "^flwr supernode list: no access$"),
        (0, '{"success": false, "error-message": "odd"}', "odd"),
        (0, "not json", "not json"),
        (0, "[1]", r"\[1\]"),
    ],
)
def test_a_refusal_is_told(code, out, message):
    done = subprocess.CompletedProcess(["flwr"], code, out, "")
    with pytest.raises(FlowerError, match=message):
        _answer(done, "flwr supernode list")


def test_text_before_the_json_is_passed_over():
    done = subprocess.CompletedProcess(["flwr"], 0, 'done\n{"success": true, "node-id": "5"}\n', "")
    assert _answer(done, "flwr supernode register")["node-id"] == "5"
