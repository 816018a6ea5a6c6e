# SPDX-License-Identifier: Apache-2.0
"""Engine ``superlink``: a running federation of SuperNodes, one a silo."""

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from tailweave.protocols.config.load import ConfigError
from tailweave.server.failure import RunFailed
from tailweave.simulation.deploy.federation import Federation, load_federation
from tailweave.simulation.engines.bundle import write_bundle, write_run_config
from tailweave.simulation.engines.control import Control, FlowerError
from tailweave.simulation.engines.job import Job
from tailweave.simulation.engines.reaching import unreached
from tailweave.simulation.engines.settle import settle

_REACH_SECONDS = 5.0
_RUN = "flower-run.json"
_NOT_SHARED = (
    "the ServerApp runs beside the SuperLink and writes there; start this command on that machine, "
    "with a folder for --out that the SuperLink's user can write"
)


class SuperLink:
    """Engine ``superlink``.

    Runs beside the SuperLink: Flower's Control API has no login and must not be open to anyone else, and
    the ServerApp writes into the run folder itself. When this process is told to end, so is the run; when
    it is killed, the run goes on, and ``--resume`` follows it.
    """

    def __init__(self, folder: Path | None) -> None:
        """Read the federation that ``folder`` describes.

        Raises:
            ConfigError: If there is none, it cannot be read, or its SuperLink does not answer.
        """
        if folder is None:
            raise ConfigError("--engine superlink needs --federation DIR, made by: tailweave deploy init DIR")
        self._federation = load_federation(folder)
        _check_reach(self._federation)
        self._control: Control | None = None
        self._running: int | None = None
        self._home: Path | None = None

    def run(self, job: Job) -> None:
        """Submit the app, or find it still running, and follow it to its end.

        Raises:
            ValueError: If what the ServerApp was given is wrong.
            RunFailed: If Flower refuses the run, or the run fails.
        """
        self._home = Path(tempfile.mkdtemp(prefix="tailweave-"))
        address, ca = self._federation.control_address, self._federation.ca
        self._control = control = Control.connect(self._home, address, ca)
        log = job.out / "server.log"
        try:
            number = _still_running(control, job) or self._submit(control, job)
            self._running = number
            with log.open("wb") as file:
                status = control.follow(number, file, lambda: None)
            self._running = None
        except FlowerError as error:
            raise RunFailed(str(error)) from None
        finally:
            self.close()
        settle(job.out, status, log, shared=_NOT_SHARED)

    def close(self) -> None:
        """Ask for an unfinished run to be stopped."""
        running, self._running = self._running, None
        if self._control is not None and running is not None:
            self._control.stop(running)
        elif self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def _submit(self, control: Control, job: Job) -> int:
        told = replace(job, names=self._federation.silo_names).run_config
        app = write_bundle(control.home, told)
        number = control.submit(app, write_run_config(control.home / "run.toml", told), {})
        (job.state / _RUN).write_text(json.dumps({"run": number}) + "\n", encoding="utf-8")
        return number


def _still_running(control: Control, job: Job) -> int | None:
    """Return the number of this folder's run if Flower is still at it; its process may have lost us."""
    path = job.state / _RUN
    if not path.exists():
        return None
    number = int(json.loads(path.read_text(encoding="utf-8"))["run"])
    try:
        status = control.status(number)
    except FlowerError:  # another SuperLink, or one without a memory: it has no such run
        return None
    return None if status.startswith("finished") else number


def _check_reach(federation: Federation) -> None:
    if not federation.ca.is_file():
        raise ConfigError(f"{federation.ca}: the federation's CA certificate is not there")
    address = federation.control_address
    host, port = address.rsplit(":", 1)
    if why := unreached(host, int(port), _REACH_SECONDS):
        raise ConfigError(
            f"no SuperLink answers on {address} ({why}); start it with the scripts in {federation.folder}"
        )
