# SPDX-License-Identifier: Apache-2.0
"""The code door: tailweave with a few lines more, which read a silo's rows, arrives at its Runtime API."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailweave.clients.data.tables import read_table
from tailweave.protocols.arrays import Floats
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.doors.table import counted, table
from tailweave.simulation.audit.findings import Attack
from tailweave.simulation.deploy.code_door import NAME, PUBLISHER, installed_version
from tailweave.simulation.deploy.door_proof import Question, Stage, stage
from tailweave.simulation.deploy.foreign_app import disguised_bundle

TAKEN = "rows that the app took"
_ROWS = 200
_SECONDS = 60.0
_RUN = 1

Executor = Callable[[Stage, Path, Callable[[], bool]], None]
"""Takes the task and starts its process, until the last argument says that all is over."""


@dataclass(frozen=True)
class Visit:
    """What came of a foreign app: rows that it read, what the server was told, whether it has run."""

    attack: Attack
    said: str
    taken: bool


def send_foreign_app(folder: Path, execute: Executor) -> Visit:
    """Let a foreign app arrive at a node that has rows, and look what it read of them; ``folder`` is made."""
    folder.mkdir(parents=True)
    rows = table(stream(0, "audit", "doors", "rows"), _ROWS)
    data, spoils = folder / "rows.csv", folder / "spoils.csv"
    np.savetxt(data, rows, delimiter=",", header="a,b,c", comments="", fmt="%.17g")
    with stage() as at:
        at.put(disguised_bundle(spoils), Question(_RUN, {"data": str(data)}))
        told: dict[int, str] = {}

        def over() -> bool:
            told.update({run: _said(reply) for run, reply in at.answers().items()})
            return bool(told)

        execute(at, folder, over)
        over()
    found: list[Floats] = list(read_table(spoils, None).values) if spoils.exists() else []
    return Visit(Attack(TAKEN, counted(found, rows)), told.get(_RUN, "nothing"), spoils.exists())


def by_silo(at: Stage, folder: Path, over: Callable[[], bool]) -> None:
    """Execute as a silo of the kit does."""
    process = at.turn()
    if process is not None:
        process.wait(_SECONDS)


def by_flower(at: Stage, folder: Path, over: Callable[[], bool]) -> None:
    """Execute as Flower itself does, which unpacks and imports what came: the control is taken away."""
    run = at.state.get_run(_RUN)
    if run is not None:  # by its name Flower finds what it has unpacked
        run.fab_id, run.fab_version = f"{PUBLISHER}/{NAME}", installed_version()
        at.state.store_run(run)
    secret = folder / "secret"
    secret.touch(0o600)
    secret.write_bytes(at.secret)
    programs = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "FLWR_HOME": str(folder / "flower"),
        "FLWR_TELEMETRY_ENABLED": "0",
        "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.1",
    }
    command = [programs / "flower-superexec", "--insecure", "--runtime-api-address", at.address]
    command += ["--superexec-auth-secret-file", secret, "--parent-pid", str(os.getpid())]
    with subprocess.Popen(
        [str(word) for word in command],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + _SECONDS
        while not over() and time.monotonic() < end:
            time.sleep(0.1)
        process.terminate()


def _said(reply: object) -> str:
    error = getattr(reply, "error", None) if getattr(reply, "has_error", bool)() else None
    return "an answer" if error is None else str(error.reason)
