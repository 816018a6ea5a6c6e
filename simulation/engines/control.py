# SPDX-License-Identifier: Apache-2.0
"""Flower's own command line, spoken to as a program: submit, follow, ask, stop.

``flwr run --stream`` exits with 0 when the run failed, so what became of a run is always asked for.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tailweave.protocols.visible import visible
from tailweave.server.failure import RunFailed

QUIET = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
"""No usage data, no look for updates, no ``uv sync`` of each run."""

CONNECTION = "tailweave"
_COMMAND_SECONDS = 180.0
_LOOK_SECONDS = 0.2
_ASK_SECONDS = 30.0
_UNREACHABLE_SECONDS = 120.0


class FlowerError(RuntimeError):
    """A command of Flower that failed; the message has its own last words."""


def program(name: str) -> str:
    """Return the path of one of Flower's programs, beside this Python or on the search path.

    Raises:
        RunFailed: If it is not there.
    """
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise RunFailed(f"{name} is not beside {sys.executable} nor on PATH; install flwr there")
    return found


def environment(home: Path) -> dict[str, str]:
    """Return this process's environment for Flower's programs, with ``home`` as their folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | QUIET | {"FLWR_HOME": str(home), "PATH": path}


@dataclass(frozen=True)
class Control:
    """One SuperLink as its clients see it.

    Attributes:
        home: Folder for Flower's own files, of this run only.
    """

    home: Path

    @classmethod
    def connect(cls, home: Path, address: str, ca: Path | None) -> "Control":
        """Write down where the SuperLink is; ``ca`` None means without TLS, for loopback only."""
        trust = "insecure = true" if ca is None else f"root-certificates = {json.dumps(str(ca))}"
        text = f"[superlink]\ndefault = {json.dumps(CONNECTION)}\n\n[superlink.{CONNECTION}]\n"
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text(f'{text}address = "{address}"\n{trust}\n', encoding="utf-8")
        return cls(home)

    def submit(self, app: Path, run_config: Path, options: Mapping[str, int | float]) -> int:
        """Submit an app and return the run's number.

        Raises:
            FlowerError: If Flower refuses it.
        """
        arguments = ["run", str(app), CONNECTION, "--run-config", str(run_config)]
        if options:
            given = " ".join(f"{key}={value}" for key, value in options.items())
            arguments += ["--federation-config", given]
        return int(str(self.call(*arguments)["run-id"]))

    def status(self, run: int) -> str:
        """Return ``pending``, ``starting``, ``running`` or ``finished:...``.

        Raises:
            FlowerError: If the SuperLink does not answer, or does not know the run.
        """
        runs = self.call("list", CONNECTION, "--run-id", str(run)).get("runs")
        if not isinstance(runs, list) or not runs:
            raise FlowerError(f"the SuperLink knows no run {run}")
        return str(runs[0]["status"])

    def stop(self, run: int) -> None:
        """Ask for a run to be stopped, and do not wait: whoever asks may be on its way out."""
        subprocess.Popen(
            [program("flwr"), "stop", str(run), CONNECTION],
            env=environment(self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def follow(self, run: int, log: IO[bytes], look: Callable[[], None]) -> str:
        """Copy the ServerApp's output to ``log`` until the run is over; return its status.

        Args:
            run: Its number.
            log: Where to; begun anew when the stream breaks, as Flower sends all of it again.
            look: Called often; raises if there is nothing left to wait for.

        Raises:
            RunFailed: If the SuperLink is out of reach for two minutes.
        """
        reached = time.monotonic()
        while True:
            os.ftruncate(log.fileno(), 0)
            log.seek(0)
            stream = self._stream(run, log)
            try:
                _wait(stream, look, lambda: self._finished(run))
            finally:
                _end(stream)
            try:
                status = self.status(run)
                reached = time.monotonic()
            except FlowerError as error:
                status = ""
                if time.monotonic() - reached > _UNREACHABLE_SECONDS:
                    raise RunFailed(f"the SuperLink cannot be reached any more: {error}") from None
            if status.startswith("finished"):
                return status
            time.sleep(_LOOK_SECONDS)

    def _finished(self, run: int) -> bool:
        try:
            return self.status(run).startswith("finished")
        except FlowerError:  # asked again, with a limit, when the stream ends
            return False

    def _stream(self, run: int, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [program("flwr"), "log", str(run), CONNECTION, "--stream"],
            env=environment(self.home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def call(self, *arguments: str) -> dict[str, Any]:
        """Run ``flwr`` and return the JSON object that it prints.

        Raises:
            FlowerError: If it fails, or gives no answer in time; with its own last words.
        """
        said = " ".join(["flwr", *(word for word in arguments[:2] if word.isalpha() and word != CONNECTION)])
        try:
            done = subprocess.run(
                [program("flwr"), *arguments, "--format", "json"],
                env=environment(self.home),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise FlowerError(f"{said} took more than {_COMMAND_SECONDS:g} s") from None
        return _answer(done, said)


def _answer(done: "subprocess.CompletedProcess[str]", said: str) -> dict[str, Any]:
    start = done.stdout.find("{")
    try:
        answer = json.loads(done.stdout[start:]) if start >= 0 else {}
    except ValueError:
        answer = {}
    if done.returncode != 0 or answer.get("success") is not True:
        words = " ".join((str(answer.get("error-message") or "") or done.stderr or done.stdout).split())
        raise FlowerError(f"{said}: {visible(words[-1000:]) or f'exit code {done.returncode}'}")
    return dict(answer)


def _wait(stream: "subprocess.Popen[bytes]", look: Callable[[], None], over: Callable[[], bool]) -> None:
    """Wait until the stream ends, or until the run is over although the stream goes on."""
    asked = time.monotonic()
    while stream.poll() is None:
        look()
        if time.monotonic() - asked > _ASK_SECONDS:
            if over():
                return
            asked = time.monotonic()
        time.sleep(_LOOK_SECONDS)


def _end(stream: "subprocess.Popen[bytes]") -> None:
    stream.kill()
    stream.wait()
