# SPDX-License-Identifier: Apache-2.0
"""Keeps a server running for as long as whoever asked for it is there, and stops all that came of it.

A process of its own, started by path, with only the standard library. It reads its standard input: when
that ends, because the other side closed it or was killed, the server is stopped, and with it every process
that inherited ``FLWR_HOME``: Ray's daemons, which outlive their parents, among them. Then the folder goes.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

LOG = "server.log"
WORK = "work"
"""The server's working folder, empty: Ray's actors import what lies there before the app itself."""
_SOFTLY_SECONDS = 10.0
_LOOK_SECONDS = 0.2
_SWEEPS = 50


def keep(home: Path, command: list[str]) -> int:
    """Run ``command`` in ``home/work`` until it ends or standard input does; return its exit code.

    Args:
        home: The server's ``FLWR_HOME``, removed in the end; unique, as all processes with it are killed.
        command: Program and arguments.
    """
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: over.set())
    threading.Thread(target=_wait_for_end_of_input, args=(over,), daemon=True).start()
    (home / WORK).mkdir(parents=True, exist_ok=True)
    with (home / LOG).open("ab") as log:
        server = subprocess.Popen(
            command,
            cwd=home / WORK,
            env=os.environ | {"FLWR_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while server.poll() is None and not over.wait(_LOOK_SECONDS):
            continue
        told = over.is_set()
        code = _stop(server)
    sweep(home)
    if told:  # else the log is still to be read
        shutil.rmtree(home, ignore_errors=True)
    return code


def _wait_for_end_of_input(over: threading.Event) -> None:
    while os.read(0, 1):  # not sys.stdin: its lock would be held when this process leaves
        continue
    over.set()


def _stop(server: "subprocess.Popen[bytes]") -> int:
    if server.poll() is None:
        server.terminate()
        try:
            return server.wait(_SOFTLY_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
    return server.wait()


def sweep(home: Path) -> None:
    """Kill every process of this user that has ``home`` as its ``FLWR_HOME``; only Linux can tell."""
    pause = threading.Event()
    for _ in range(_SWEEPS):
        found = heirs(home)
        for process in found:
            _kill(process)
        if not found:
            return
        pause.wait(_LOOK_SECONDS)


def heirs(home: Path) -> list[int]:
    """Return the processes, but this one, that inherited ``FLWR_HOME=home``."""
    wanted = f"FLWR_HOME={home}".encode()
    return [
        int(entry.name)
        for entry in Path("/proc").glob("[0-9]*")
        if int(entry.name) != os.getpid() and wanted in _environment(entry)
    ]


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:  # another user's, or gone
        return []


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), sys.argv[2:]))
