# SPDX-License-Identifier: Apache-2.0
"""Append-only JSON lines that survive a kill, and that a resumed run must reproduce before it goes on."""

import fcntl
import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_PATIENCE_SECONDS = 30.0
_ENCODER = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
_LOOK_SECONDS = 0.1


class JournalError(ValueError):
    """A resumed run that disagrees with what was recorded before it was interrupted."""


class Journal:
    """One file of JSON lines.

    Lines found at opening are what an interrupted run recorded. ``append`` first walks through them: each
    must equal what is appended, byte for byte; after the last one, lines are written and flushed.
    """

    def __init__(self, path: Path, *, ordered: bool = True) -> None:
        """Open the journal at ``path`` for this process alone; a torn last line is cut off.

        Args:
            path: The file.
            ordered: A resumed run must record the same in the same order. Not so with what depends on who
                happened to be away: then lines that were recorded before are only not written twice.

        Raises:
            JournalError: If another process writes it, and does not end within half a minute.
        """
        self.path = path
        self._file: IO[str] = path.open("a", encoding="utf-8")
        _lock(self._file, path)
        self._recorded = _complete_lines(path)
        self._position = 0
        self._known = None if ordered else Counter(self._recorded)
        self.resumed = bool(self._recorded)

    def append(self, row: Mapping[str, object]) -> None:
        """Record one row.

        Raises:
            JournalError: If an interrupted run recorded something else in this place.
            ValueError: If a value is not finite.
        """
        line = _ENCODER.encode(row)
        if self._known is not None:
            self._append_new(line, self._known)
            return
        if self._position < len(self._recorded):
            self._position += 1
            if line != self._recorded[self._position - 1]:
                raise JournalError(
                    f"{self.path}: line {self._position} differs from what the interrupted run recorded; "
                    "code, configuration or library versions have changed, or other silos take part than "
                    "did: start those that are away and --resume, or start again in a new folder"
                )
            return
        self._write(line)

    def _append_new(self, line: str, known: Counter[str]) -> None:
        if known[line] > 0:
            known[line] -= 1
        else:
            self._write(line)

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()

    def close(self) -> None:
        """Flush to the disk and close."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def _lock(file: IO[str], path: Path) -> None:
    """Wait for a run that was interrupted elsewhere to end: two would write one journal."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                file.close()
                raise JournalError(
                    f"{path}: another process writes it; is this run still going on? Stop it, or wait"
                ) from None
        time.sleep(_LOOK_SECONDS)


def _complete_lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end != len(data):
        os.truncate(path, end)
    return data[:end].decode("utf-8").split("\n")[:-1]  # splitlines also splits at U+2028 in a label
