# SPDX-License-Identifier: Apache-2.0
"""The generated code in the repository is what the proto file gives today."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ("selection_pb2.py", "selection_pb2.pyi", "selection_pb2_grpc.py")


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Path:
    """The command of protocols/README.md, into another folder."""
    out = tmp_path_factory.mktemp("generated")
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "tailweave/protocols/selection.proto"]
    kinds = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run(command + kinds, cwd=ROOT, check=True, timeout=60)
    return out / "tailweave/protocols"


@pytest.mark.parametrize("name", GENERATED)
def test_generating_again_gives_the_same(generated, name):
    assert (generated / name).read_text() == (ROOT / "protocols" / name).read_text()


def test_no_other_generated_file_is_there():
    assert sorted(path.name for path in (ROOT / "protocols").glob("*_pb2*")) == sorted(GENERATED)
