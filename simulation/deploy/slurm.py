# SPDX-License-Identifier: Apache-2.0
"""The kit as Slurm jobs: one for the server, one a silo; what their batch scripts say."""

import sys
from pathlib import Path

from tailweave.simulation.deploy.node_settings import ALLOTTED
from tailweave.simulation.deploy.units import check_path

SERVER, SILO = "tailweave-server.sbatch", "tailweave-silo-{}.sbatch"
_LOOPBACK = ("localhost", "127.")


class SlurmError(ValueError):
    """A plan that jobs on several nodes cannot carry out."""


def check_slurm(host: str, devices: set[str]) -> None:
    """Refuse what holds for one host only.

    Raises:
        SlurmError: If silos could not reach the server, or name a GPU that Slurm may give to another job.
    """
    if host.startswith(_LOOPBACK):
        raise SlurmError(
            f"--slurm: jobs run on several nodes, which do not reach {host}; --host NAME: the server's node"
        )
    named = sorted(devices - {"cpu", ALLOTTED})
    if named:
        raise SlurmError(f"--slurm: a job's GPU is Slurm's to choose: --device {ALLOTTED}, got {named[0]}")


def server_job(folder: Path, host: str) -> tuple[str, dict[str, object]]:
    """Return file name and values of the server's batch script.

    Raises:
        UnitError: If a path cannot stand in it.
    """
    parts = "superlink superexec gate"
    values = _job(folder, SERVER, "superlink.sh", parts) | {
        "what": f"The server of the federation at {host}",
        "job": "tailweave-server",
        "nodelist": host,
        "gpu": False,
        "silo": False,
        "cores": 2,
    }
    return SERVER, values


def silo_job(folder: Path, name: str, device: str) -> tuple[str, dict[str, object]]:
    """Return file name and values of one silo's batch script; see ``server_job``.

    Raises:
        UnitError: If a path cannot stand in it.
    """
    file = SILO.format(name)
    values = _job(folder, file, f"supernode-{name}.sh", "supernode executor") | {
        "what": f"Silo {name}",
        "job": f"tailweave-silo-{name}",
        "nodelist": None,
        "gpu": device == ALLOTTED,
        "silo": True,
        "cores": 4,
    }
    return file, values


def _job(folder: Path, file: str, script: str, parts: str) -> dict[str, object]:
    programs = Path(sys.executable).parent
    for path, what in ((folder, "the kit's folder"), (programs, "the folder of Python's programs")):
        check_path(path, what)
        odd = [character for character in "$`%" if character in str(path)]
        if odd:
            raise SlurmError(f"--slurm: {what}: {path} has {odd[0]}, which means something else in a script")
    return {"file": folder / file, "folder": folder, "script": script, "parts": parts, "bin": programs}
