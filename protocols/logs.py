# SPDX-License-Identifier: Apache-2.0
"""Structured logs of server and nodes: one JSON object a line, of the fields named here and no others.

Nobody logs free text: what is not a field below cannot be said. So no line holds a row, a norm or a path of
a silo's data, whatever went wrong there; the node's own plain log has the whole reason.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypedDict, Unpack

FORMATS = ("plain", "json")
"""Of ``log-format``: plain writes none of these lines."""
LOG_FILE = "log.jsonl"
"""In the run folder: the same lines as the server prints."""
_logger = logging.getLogger("tailweave.log")
_logger.propagate = False  # Flower's own logger, and whoever logs plain text, stay as they are
_logger.addHandler(logging.NullHandler())


class Fields(TypedDict, total=False):
    """What a line may say besides time, level, part, run and event.

    ``kind`` is the round, ``error`` a class without its text; ``reason`` may
    be read by the server, it is in ``events.jsonl`` too.
    """

    seed: int
    kind: str
    arm: str | None
    silo: str
    silos: int
    start: int
    stop: int
    generation: int
    seconds: float
    bytes: int
    error: str
    reason: str


@dataclass(frozen=True)
class Log:
    """One part's voice in the log of one run."""

    part: Literal["server", "node"]
    run: str

    def info(self, event: str, of: Fields | None = None, **more: Unpack[Fields]) -> None:
        """Say what happened, with the fields of both."""
        self._say(logging.INFO, event, {**(of or {}), **more})

    def warning(self, event: str, of: Fields | None = None, **more: Unpack[Fields]) -> None:
        """Say what someone should look at: a refusal, a question put again, a run taken up again."""
        self._say(logging.WARNING, event, {**(of or {}), **more})

    def _say(self, level: int, event: str, fields: Fields) -> None:
        unknown = sorted(set(fields) - set(Fields.__annotations__))
        if unknown:
            raise ValueError(f"a log line has no field {', '.join(unknown)}")
        if _logger.isEnabledFor(level):
            said = {"part": self.part, "run": self.run, "event": event}
            _logger.log(
                level, event, extra={"said": said | {k: v for k, v in fields.items() if v is not None}}
            )


class JsonLines(logging.Formatter):
    """One record as one line of ASCII; the record's message and traceback are left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said: dict[str, object] = getattr(record, "said", {})
        return json.dumps({"time": time, "level": record.levelname.lower(), **said})


class _Stderr(logging.Handler):
    """Writes a line at once, so that those of several processes do not mix."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")
        sys.stderr.flush()


def open_log(log_format: str) -> None:
    """Print log lines on stderr from now on, if the format says so; a second call does nothing.

    Raises:
        ValueError: If the format is unknown.
    """
    if wants_json(log_format) and not any(isinstance(found, _Stderr) for found in _logger.handlers):
        _add(_Stderr())


def close_log() -> None:
    """Print no more log lines in this process."""
    for handler in [found for found in _logger.handlers if isinstance(found, _Stderr)]:
        _logger.removeHandler(handler)


@contextmanager
def log_file(folder: Path, log_format: str) -> Iterator[None]:
    """Keep log lines in ``folder/log.jsonl`` too, for as long as the context lasts.

    Raises:
        ValueError: If the format is unknown.
    """
    if not wants_json(log_format):
        yield
        return
    handler = logging.FileHandler(folder / LOG_FILE, encoding="utf-8", delay=True)
    _add(handler)
    try:
        yield
    finally:
        _logger.removeHandler(handler)
        handler.close()


def wants_json(log_format: str) -> bool:
    """Tell whether log lines are wanted.

    Raises:
        ValueError: If the format is unknown.
    """
    if log_format and log_format not in FORMATS:
        raise ValueError(f"log-format must be one of {', '.join(FORMATS)}, got {log_format!r}")
    return log_format == "json"


def _add(handler: logging.Handler) -> None:
    handler.setFormatter(JsonLines())
    _logger.addHandler(handler)
    _logger.setLevel(logging.INFO)
