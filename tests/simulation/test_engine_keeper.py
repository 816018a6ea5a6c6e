# SPDX-License-Identifier: Apache-2.0
"""The keeper: when whoever asked for a server is gone, so is all that the server started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from living import alive

from tailweave.simulation.engines import keeper

SECONDS = 60.0
SERVER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print(os.getcwd(), os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
ASKER = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-P", *sys.argv[1:]], stdin=subprocess.PIPE)
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def start(home) -> Iterator[Callable[[str], subprocess.Popen]]:
    started = []

    def starter(script: str) -> subprocess.Popen:
        command = [sys.executable, "-P", keeper.__file__, str(home), sys.executable, "-c", script]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return started[-1]

    yield starter
    for process in started:
        process.stdin.close()
        process.wait(SECONDS)


def until(there: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS
    while not there():
        assert time.monotonic() < end
        time.sleep(0.05)


def server_and_child(home: Path) -> tuple[str, list[int]]:
    log = home / keeper.LOG
    until(lambda: log.exists() and log.read_text().count("\n"))
    folder, *processes = log.read_text().split()
    return folder, [int(process) for process in processes]


def test_the_server_works_in_an_empty_folder_of_its_own(home, start):
    start(SERVER)
    folder, _ = server_and_child(home)
    assert Path(folder) == home / keeper.WORK
    assert list(Path(folder).iterdir()) == []


def test_a_closed_input_ends_server_daemons_and_folder(home, start):
    kept = start(SERVER)
    _, processes = server_and_child(home)
    assert all(map(alive, processes))
    kept.stdin.close()
    kept.wait(SECONDS)
    assert not any(map(alive, processes))
    assert not home.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_does_the_same(home, start, number):
    kept = start(SERVER)
    _, processes = server_and_child(home)
    kept.send_signal(number)
    kept.wait(SECONDS)
    assert not any(map(alive, processes))


def test_killing_whoever_asked_does_the_same(home):
    command = [keeper.__file__, str(home), sys.executable, "-c", SERVER]
    asker = subprocess.Popen([sys.executable, "-c", ASKER, *command])
    _, processes = server_and_child(home)
    asker.kill()
    asker.wait(SECONDS)
    until(lambda: not any(map(alive, processes)))
    until(lambda: not home.exists())


def test_a_server_that_ends_leaves_its_code_and_its_log(home, start):
    kept = start("import sys; print('no port is free'); sys.exit(7)")
    assert kept.wait(SECONDS) == 7
    assert (home / keeper.LOG).read_text() == "no port is free\n"


def test_only_processes_with_this_very_folder_are_found(home, tmp_path):
    others = {"FLWR_HOME": f"{home}-2", "OTHER": str(home)}
    stranger = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=os.environ | others
    )
    kin = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=os.environ | {"FLWR_HOME": str(home)}
    )
    try:
        until(lambda: kin.pid in keeper.heirs(home))
        assert keeper.heirs(home) == [kin.pid]
        keeper.sweep(home)
        assert kin.wait(SECONDS) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        for process in (stranger, kin):
            process.kill()
            process.wait()
