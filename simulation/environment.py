# SPDX-License-Identifier: Apache-2.0
"""What a run was made with: versions, commit, seeds, hardware, command."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_NEURAL = ("torch", "diffusers", "transformers")
_PACKAGES = ("tailweave", "flwr", "numpy", "scipy", "scikit-learn", "POT", "pydantic", "matplotlib", *_NEURAL)


def environment(seeds: Sequence[int], command: Sequence[str], *, engine: str, workers: int) -> dict[str, Any]:
    """Return what someone needs to make the same run again, as plain JSON."""
    return {
        "command": list(command),
        "engine": engine,
        "workers": workers,
        "seeds": list(seeds),
        "commit": _commit(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "hardware": {"machine": platform.machine(), "system": platform.system(), "cpus": os.cpu_count()},
        "executable": Path(sys.executable).name,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # tailweave itself, when it runs from a checkout or a Flower bundle
        return None


def _commit() -> str | None:
    """Return the commit of the checkout that this code runs from, or None outside one."""
    here = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
