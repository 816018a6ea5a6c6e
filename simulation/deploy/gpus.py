# SPDX-License-Identifier: Apache-2.0
"""The GPUs of this host, as NVIDIA's driver lists them."""

import re
import subprocess

_SECONDS = 20.0
_GPU = re.compile(r"^GPU (\d+): (.*?) \(UUID: (GPU-[0-9A-Za-z-]+)\)", re.MULTILINE)
_MIG = re.compile(r"\(UUID: (MIG-[0-9A-Za-z/-]+)\)")


class GpuError(ValueError):
    """A GPU that is not there."""


def find_gpu(device: str) -> str:
    """Return what a GPU of this host is.

    Raises:
        GpuError: If it, or the driver, is not there.
    """
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise GpuError(f"device {device}: nvidia-smi is not installed here") from None
    except subprocess.TimeoutExpired:
        raise GpuError(f"device {device}: nvidia-smi gave no answer in {_SECONDS:g} s") from None
    if done.returncode != 0:
        raise GpuError(f"device {device}: nvidia-smi failed: {(done.stderr or done.stdout).strip()[:200]}")
    gpus: dict[str, str] = {f"cuda:{number}": model for number, model, _ in _GPU.findall(done.stdout)}
    named: dict[str, str] = {uuid: model for _, model, uuid in _GPU.findall(done.stdout)}
    named |= dict.fromkeys(_MIG.findall(done.stdout), "a MIG slice")
    known = gpus | named
    if device not in known:
        raise GpuError(f"device {device} is not among this host's: {', '.join(gpus) or 'none'}")
    return known[device]
