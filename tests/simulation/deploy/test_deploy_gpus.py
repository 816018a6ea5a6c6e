# SPDX-License-Identifier: Apache-2.0
import pytest

from tailweave.simulation.deploy.gpus import GpuError, find_gpu

LISTED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1111aaaa-22)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-3333bbbb-44)
  MIG 1g.10gb Device 0: (UUID: MIG-5555cccc-66)
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A program in the place of NVIDIA's."""

    def install(body):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return install


@pytest.mark.parametrize(
    ("device", "found"),
    [
        ("cuda:1", "NVIDIA H100 80GB HBM3"),
        ("GPU-3333bbbb-44", "NVIDIA H100 80GB HBM3"),
        ("MIG-5555cccc-66", "a MIG slice"),
    ],
)
def test_a_listed_gpu_is_found(driver, device, found):
    driver(f"cat <<'E'\n{LISTED}E")
    assert find_gpu(device) == found


def test_another_is_not(driver):
    driver(f"cat <<'E'\n{LISTED}E")
    with pytest.raises(GpuError, match=r"device cuda:2 is not among this host's: cuda:0, cuda:1"):
        find_gpu("cuda:2")
    driver("echo 'no devices were found' >&2; exit 6")
    with pytest.raises(GpuError, match="nvidia-smi failed: no devices were found"):
        find_gpu("cuda:0")


def test_no_driver_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GpuError, match="nvidia-smi is not installed here"):
        find_gpu("cuda:0")
