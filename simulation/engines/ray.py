# SPDX-License-Identifier: Apache-2.0
"""Engine ``ray``: Flower's Simulation Runtime, on a SuperLink that lives as long as the run."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tailweave.protocols.config.load import ConfigError
from tailweave.server.failure import RunFailed
from tailweave.simulation.engines import keeper
from tailweave.simulation.engines.bundle import write_bundle, write_run_config
from tailweave.simulation.engines.control import Control, FlowerError, environment, program
from tailweave.simulation.engines.devices import devices
from tailweave.simulation.engines.job import Job
from tailweave.simulation.engines.reaching import unreached
from tailweave.simulation.engines.settle import last_lines, settle

_HOST = "127.0.0.1"
_LONGEST_TMP = 20
_LARGEST_PORT = 65_535
_START_SECONDS = 120.0
_END_SECONDS = 60.0
_LOOK_SECONDS = 0.2
_CLUSTER_SECONDS = 10.0
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
"""No usage data."""


class Ray:
    """Engine ``ray``.

    The SuperLink has a folder, a port and a keeper of its own: when this process ends, however it ends, the
    keeper stops the SuperLink and all that Ray started. A cluster that was there before stays; Ray itself
    ends what a driver that is gone had there. Its machines find the app, the experiment and the silos' state
    by their paths, below the run folder, so that has to be on files that they share.
    """

    def __init__(self, cpus: int, gpus: float, address: str | None = None) -> None:
        """Set aside ``cpus`` cores and ``gpus`` GPUs for each silo at work, here or in the cluster there.

        Raises:
            ConfigError: If Ray is not installed, the machine has fewer cores or GPUs, or no cluster is there.
        """
        self._address = address
        if gpus < 0:
            raise ConfigError(f"--gpus must be 0 or more, got {gpus:g}")
        if address is None:
            _check_machine(cpus, gpus)
        else:
            if cpus < 1:
                raise ConfigError(f"--cpus must be 1 or more, got {cpus}")
            _check_cluster(address)
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("--engine ray needs Ray: pip install 'tailweave[ray]'")
        self._resources = {"client-resources-num-cpus": cpus, "client-resources-num-gpus": float(gpus)}
        self._keeper: subprocess.Popen[bytes] | None = None
        self._home = Path()

    def run(self, job: Job) -> None:
        """Start a SuperLink, submit the app and follow it to its end.

        Raises:
            ValueError: If what the ServerApp was given is wrong.
            RunFailed: If the SuperLink does not start or dies, or the run fails.
        """
        self._home = home = self._folder(job)
        address = f"{_HOST}:{_free_port()}"
        self._start(home, address)
        try:
            control = Control.connect(home, address, None)
            app = write_bundle(home, job.run_config)
            settings = write_run_config(home / "run.toml", job.run_config)
            log = job.out / "server.log"
            with log.open("wb") as file:
                number = control.submit(app, settings, {"num-supernodes": job.silos, **self._resources})
                status = control.follow(number, file, lambda: self._look(home))
        except FlowerError as error:
            raise RunFailed(str(error)) from None
        finally:
            self.close()
        settle(job.out, status, log, shared="this cannot be")

    def _folder(self, job: Job) -> Path:
        """Make the SuperLink's folder: in a cluster where its other machines find the app too."""
        if self._address is None:
            return _short_folder()
        job.state.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="flower-", dir=job.state))

    def close(self) -> None:
        """Stop the SuperLink and wait until all that it started is gone."""
        running, self._keeper = self._keeper, None
        if running is None or running.stdin is None:
            return
        running.stdin.close()
        running.wait(_END_SECONDS)
        shutil.rmtree(self._home, ignore_errors=True)

    def _start(self, home: Path, address: str) -> None:
        host, port = address.rsplit(":", 1)
        flags = ["--insecure", "--simulation", "--disable-runtime-dependency-installation"]
        command = [program("flower-superlink"), *flags, "--host", host, "--port", port]
        self._keeper = subprocess.Popen(
            # -P: beside the keeper lies this file, and Python must not take it for the package ray
            [sys.executable, "-P", str(Path(keeper.__file__)), str(home), *command],
            env=environment(home) | _QUIET | self._ray_settings(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        end = time.monotonic() + _START_SECONDS
        while not _answers(address):
            self._look(home)
            if time.monotonic() > end:
                self.close()
                raise RunFailed(f"the SuperLink did not start within {_START_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)

    def _ray_settings(self, home: Path) -> dict[str, str]:
        return {"RAY_TMPDIR": str(home)} if self._address is None else {"RAY_ADDRESS": self._address}

    def _look(self, home: Path) -> None:
        if self._keeper is None or self._keeper.poll() is not None:
            raise RunFailed(f"the SuperLink has ended; its last words:\n{last_lines(home / keeper.LOG)}")


def _check_machine(cpus: int, gpus: float) -> None:
    there = os.cpu_count() or 1
    if not 1 <= cpus <= there:
        raise ConfigError(f"--cpus must be 1 to {there}, the cores of this machine, got {cpus}")
    if gpus > len(devices()):
        found = f"{len(devices())} of them" if devices() else "none"
        raise ConfigError(
            f"--gpus {gpus:g}: a silo cannot have more GPUs than this machine, which has {found}"
        )


def _check_cluster(address: str) -> None:
    """Refuse an address where nobody listens."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= _LARGEST_PORT:
        raise ConfigError(f"--address must be HOST:PORT of a Ray cluster, got {address!r}")
    if why := unreached(host, int(port), _CLUSTER_SECONDS):
        raise ConfigError(
            f"--address {address}: no Ray cluster answers there ({why}); start one with ray start --head "
            f"--port {port}, and with ray start --address {address} on its other machines"
        )


def _short_folder() -> Path:
    """Make a folder whose path leaves room for the names of Ray's sockets: Unix allows them 107 bytes."""
    usual = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix="tailweave-", dir=usual if len(usual) <= _LONGEST_TMP else "/tmp"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answers(address: str) -> bool:
    """Tell whether a SuperLink without TLS says that it is well."""
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
