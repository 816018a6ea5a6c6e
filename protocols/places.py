# SPDX-License-Identifier: Apache-2.0
"""Where things lie when nobody says where: beside the code, or below Flower's own folder."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def packaged(path: Path) -> Path:
    """Return an absolute path; a relative one is taken from the folder that holds the app's packages.

    Flower unpacks the app, its configs among it, wherever it likes, and starts it somewhere else.
    """
    return path if path.is_absolute() else _ROOT / path


def run_folder(home: Path, run: str) -> Path:
    """Return the folder of a run that ``flwr run`` gave none."""
    return home / "tailweave" / run


def state_folder(run_folder: Path) -> Path:
    """Return the folder of what is needed until a run is finished: kits, checkpoints."""
    return run_folder / ".state"
