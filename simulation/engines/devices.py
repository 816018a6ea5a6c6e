# SPDX-License-Identifier: Apache-2.0
"""GPUs for the workers of engine ``in-process``: one each, or shared in turn where there are fewer."""

import os
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")


def devices(driver: Path = _DRIVER) -> list[str]:
    """Return the names of the GPUs that this process may use: as the user set them, or all there are."""
    given = os.environ.get(VISIBLE)
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    return [str(number) for number, _ in enumerate(driver.iterdir())] if driver.is_dir() else []


def device_of(worker: int, found: list[str]) -> str | None:
    """Return the GPU of one worker, or None where there is none."""
    return found[worker % len(found)] if found else None
